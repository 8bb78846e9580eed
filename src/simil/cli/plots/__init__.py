"""Charts for `--plot`: what is drawn (`charts`), and the back ends that draw it (`drawing` picks one)."""
