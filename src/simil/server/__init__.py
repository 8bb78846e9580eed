"""The same models for other programs, in a process that stays; knows no flag."""
