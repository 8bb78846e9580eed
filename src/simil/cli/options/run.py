"""What every run of a command sets up: settings, notes on stderr, and a session."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from simil.cli.output.cells import visible
from simil.cli.output.interrupt_note import count_kept
from simil.cli.output.notes import Notes, report_usage
from simil.cli.output.progress_bar import terminal_progress
from simil.config import Settings, load_settings
from simil.errors import UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from simil.cli.options.groups import ModelFlags, RunFlags
    from simil.session.session import Session

__all__ = [
    "Run",
    "SessionRun",
    "note_terminal_input",
    "notes_on_stderr",
    "open_run",
    "quieted",
    "session_run",
    "start_run",
]

log = logging.getLogger("simil")


class Run(Frozen):
    """What every command is given: its settings, and whether it may speak."""

    settings: Settings
    quiet: bool


class SessionRun(Run):
    """The run of a command that works on texts and vectors."""

    session: Session
    notes: Notes


@contextmanager
def start_run(*, quiet: bool, verbose: bool, **flags: Any) -> Iterator[Run]:
    """Set up a run: settings from flags and elsewhere, and notes on stderr."""
    with notes_on_stderr(quiet=quiet, verbose=verbose):
        yield Run(load_settings(**flags), quiet)


@contextmanager
def open_run(
    model: ModelFlags, running: RunFlags, *, on_error: str, normalize: bool = True, nulls: bool = False
) -> Iterator[SessionRun]:
    """Set up a run with a session by its flags; see `session_run`."""
    with (
        notes_on_stderr(quiet=running.quiet, verbose=running.verbose),
        _safe_cells() if running.safe_csv else nullcontext(),
        session_run(
            model.settings(running.env_file),
            model.dimensions,
            on_error=on_error,
            normalize=normalize,
            nulls=nulls,
            quiet=running.quiet,
        ) as run,
    ):
        yield run
        if model.model is not None and run.session.used_saved_only:
            log.warning("the input holds vectors already, so -m has no effect")


def _safe_cells() -> AbstractContextManager[None]:
    from simil.formats.delimited import safe_cells

    return safe_cells(True)


@contextmanager
def session_run(
    settings: Settings,
    dimensions: int | None,
    *,
    on_error: str,
    normalize: bool = True,
    nulls: bool = False,
    quiet: bool,
) -> Iterator[SessionRun]:
    """Set up a run with a session; at the end of a block that ends well, report what was left out.

    Without `normalize` the model leaves vectors as long as it makes them; `nulls` says that the output
    has a form for texts that failed.
    """
    from simil.session.session import Session

    notes = Notes(on_error, nulls=nulls)
    session = Session(
        settings,
        dimensions=dimensions,
        normalize=normalize,
        progress=terminal_progress(quiet=quiet),
        on_stdin=note_terminal_input,
        on_blank=notes.blank,
        on_error=notes.on_error,
        on_unknown=notes.unknown,
    )
    if log.isEnabledFor(logging.WARNING):
        count_kept(lambda: 0 if session.opened is None else session.opened.kept)
    try:
        yield SessionRun(settings, quiet, session, notes)
    finally:
        session.close()
        if session.opened is not None:
            report_usage(session.opened.usage)
    cut_is_news = settings.overflow in ("warn", "chunk")  # A reranker cuts what is embedded in windows.
    notes.finish(session.opened, session.scorer_opened, warn_of_cut=cut_is_news)


@contextmanager
def quieted() -> Iterator[None]:
    """Let nothing but errors be said on stderr, in a run that tells of everything itself."""
    with _logging(logging.ERROR):
        yield


def note_terminal_input() -> None:
    """Say on stderr that the run waits for texts, where a person at a terminal is to type them."""
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("simil: reading texts from the terminal, one per line; Ctrl-D ends\n")


@contextmanager
def notes_on_stderr(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Print notes to stderr while the block runs, as many as the user asked for."""
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other", hint="pass one of them")
    with _logging(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING):
        yield


class _Visible(logging.Formatter):
    """Makes control characters of names and texts visible, on a terminal or in a log that one will show."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


@contextmanager
def _logging(level: int) -> Iterator[None]:
    logger = logging.getLogger("simil")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("simil: %(message)s"))
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level)
    from simil.cli.bus_errors import end_at_bus_errors

    end_at_bus_errors()
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated
