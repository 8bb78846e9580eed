"""Completion in the shell: what may stand at the cursor, asked by a script that the shell has loaded."""

__all__ = ["INSTRUCTION"]

INSTRUCTION = "_SIMIL_COMPLETE"
"""The environment variable by which a shell asks for completions; its value is the name of the shell."""
