"""Reports what must not happen: an exception that nobody expected is a fault of simil itself."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from simil.cli.output.cells import visible
from simil.cli.output.error_line import print_error, print_on_stderr
from simil.errors import ModelError
from simil.foreign import what_was_raised

__all__ = ["FAULT", "place_of", "report_fault"]

FAULT = 70
_ROOT = str(Path(__file__).parents[1])
_REPORT = "please report it with what -v adds and with the output of simil doctor (see CONTRIBUTING.md)"


def report_fault(exc: BaseException, arguments: Sequence[str]) -> int:
    """Print a line that says what happened, where, and where to report it; return the exit code.

    With -v among the arguments, the traceback comes before it. No secret of the settings is in either. A
    package that simil requires and that is gone is no fault of simil.
    """
    hide = _hider(arguments)
    if {"-v", "--verbose"} & set(arguments):
        try:
            lines = "".join(traceback.format_exception(exc))
        except BaseException:  # noqa: BLE001 (an exception that cannot even be printed)
            lines = ""
        print_on_stderr(visible(hide(lines), keep="\n"))
    module = _missing_module(exc)
    if module is not None:
        print_error(f"{module} cannot be imported, which simil requires; run: simil doctor")
        return ModelError.exit_code
    what = " ".join(hide(what_was_raised(exc)).split())
    print_error(f"a fault of simil itself: {what} ({place_of(exc.__traceback__)}); {_REPORT}")
    return FAULT


def _missing_module(exc: BaseException) -> str | None:
    """Return the name of the package of others that an import did not find."""
    name = exc.name if isinstance(exc, ModuleNotFoundError) else None
    package = (name or "").partition(".")[0]
    return package if package not in ("", "simil") else None


def place_of(where: TracebackType | None) -> str:
    """Return the file and line of the last frame of ours, of the last of all where none is."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(where)]
    ours = [(name, line) for name, line in frames if name.startswith(_ROOT)]
    name, line = (ours or frames or [("unknown", 0)])[-1]
    return f"{Path(name).name}:{line}"


def _hider(arguments: Sequence[str]) -> Callable[[str], str]:
    """Return what hides the secrets of the settings and of the environment, as in `simil doctor`."""
    try:
        from simil.config import SettingSource, read_config_file, read_dotenv
        from simil.errors import SimilError
        from simil.tasks.doctor.redaction import redactor_of

        named = next(_env_files(arguments), None)
        sources = [SettingSource("the environment", os.environ)]
        with suppress(SimilError):
            sources.append(read_dotenv(named, Path()))
        with suppress(SimilError):
            sources.append(read_config_file(os.environ))
        return redactor_of(sources)
    except BaseException:  # noqa: BLE001 (the fault may be there: then nothing is said that may hold a secret)
        return lambda text: ""


def _env_files(arguments: Sequence[str]) -> Iterator[Path]:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        option, _, value = argument.partition("=")
        if option == "--env-file":
            yield Path(value or following)
