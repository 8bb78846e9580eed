"""A file for each verb: its options and what it does; what it prints stands beside it, in `NAME_view.py`."""
