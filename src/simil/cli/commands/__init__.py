"""One file per verb: its options and its steps; what it prints is in `NAME_view.py`."""
