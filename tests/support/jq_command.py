"""`jq` for examples that pipe into it, where a machine has none: libjq itself behind the flags they use."""

from __future__ import annotations

import sys
from pathlib import Path

import jq

__all__ = ["install"]


def install(folder: Path) -> None:
    """Put a command `jq` into `folder`, which is to stand in PATH."""
    script = folder / "jq"
    script.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' \"$@\"\n", "utf-8")
    script.chmod(0o755)


def main(arguments: list[str]) -> None:
    flags = {letter for argument in arguments if argument.startswith("-") for letter in argument[1:]}
    if not flags <= set("crs"):
        raise SystemExit(f"jq: this stand-in knows no -{''.join(sorted(flags - set('crs')))}")
    program, *files = [argument for argument in arguments if not argument.startswith("-")]
    text = "".join(Path(name).read_text("utf-8") for name in files) if files else sys.stdin.read()
    for value in jq.compile(program).input_text(text, slurp="s" in flags):
        if isinstance(value, str) and "r" in flags:
            sys.stdout.write(f"{value}\n")
        else:
            written = jq.compile("tojson" if "c" in flags else ".").input_value(value)
            sys.stdout.write(f"{written.first() if 'c' in flags else written.text()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
