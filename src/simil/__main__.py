"""The command `simil`: everything that can go wrong ends here as one line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence


def main() -> None:
    """Run the command line and end the process with its exit code; see docs/architecture.md for the codes."""
    try:
        # Inside the `try`: Ctrl-C during the imports prints no traceback either.
        from simil.cli.process import run_process

        run_process(sys.argv[1:], _load)
    except KeyboardInterrupt:
        # Python's own way out may end with another code after an interrupt.
        os._exit(130)


def _load() -> Callable[[Sequence[str]], int]:
    from simil.cli.app import run

    return run


if __name__ == "__main__":
    main()
