"""The command `simil`: everything that can go wrong ends here as one line and an exit code."""

from __future__ import annotations

import os
import sys

# Nothing more is imported here: Ctrl-C before `main` runs would print a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main() -> None:
    """Run the command line and end the process with its exit code; see docs/exit-codes.md for the codes."""
    try:
        # Inside the `try`: Ctrl-C during the imports prints no traceback either.
        from simil.cli.process import run_process

        run_process(sys.argv[1:], _load)
    except KeyboardInterrupt as exc:
        # Python's own way out may end with another code after an interrupt.
        os._exit(128 + (exc.args[0] if exc.args else 2))


def _load() -> Callable[[Sequence[str]], int]:
    from simil.cli.app import run

    return run


if __name__ == "__main__":
    main()
