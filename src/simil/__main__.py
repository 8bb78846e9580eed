"""The command `simil`: everything that can go wrong ends here as one line and an exit code."""

import sys


def main() -> None:
    """Run the command line; exits with the code that DESIGN's list of exit codes gives."""
    try:
        # Within the `try`: Ctrl-C during the imports is no traceback either.
        from simil.cli.app import run

        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 141
    if code == 141:
        _drop_output()
    sys.exit(code)


def _drop_output() -> None:
    """Point stdout nowhere, or Python complains at exit that it cannot flush into the closed pipe."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
