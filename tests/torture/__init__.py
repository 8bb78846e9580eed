"""The torture: what is hostile, damaged, killed or full, done to the real command, with every answer checked.

`make torture` runs all parts at full length (`python -m torture --help`, with `tests` on PYTHONPATH); tests
run a short form of each (`test_short_forms.py`). A part is a file in `parts/` with a `PART`.
"""
