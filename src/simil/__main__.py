"""The command `simil`: everything that can go wrong ends here as one line and an exit code."""

import os
import sys


def main() -> None:
    """Run the command line; exits with the code that DESIGN's list of exit codes gives."""
    try:
        # Within the `try`: Ctrl-C during the imports is no traceback either.
        from simil.cli.process import run_process

        run_process(sys.argv[1:])
    except KeyboardInterrupt:
        # Python's own way out may end in another code after an interrupt.
        os._exit(130)


if __name__ == "__main__":
    main()
