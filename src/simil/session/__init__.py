"""Settings, files and one model become texts with vectors; knows no flag and prints nothing."""
