"""Checks of the machine: simil itself, Python, the processor, the terminal."""

from __future__ import annotations

import locale
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from simil import _version
from simil.data_stream import stdout, terminal_size
from simil.embedders.local.cores import physical_cores, processor_facts
from simil.tasks.doctor.findings import CheckContext, Finding, ok, warn

__all__ = ["processor", "terminal", "versions"]


def versions(context: CheckContext) -> Iterator[Finding]:
    """Report the versions of simil, Python and the operating system."""
    yield ok("simil", f"{_version.__version__}, in {Path(_version.__file__).parent}")
    yield ok("python", f"{platform.python_version()} {platform.python_implementation()}, {sys.prefix}")
    yield ok("system", f"{platform.platform()}, {platform.machine()}")


def processor(context: CheckContext) -> Iterator[Finding]:
    """Report the processor, and the number of cores that a run uses."""
    name, features = processor_facts()
    yield ok("processor", f"{name}: {' '.join(features) or 'unknown features'}")
    threads = context.settings.threads
    used = f"{threads} threads are set" if threads else "all are used"
    yield ok("cores", f"{physical_cores()} of {os.cpu_count()} processors, {used}")


def terminal(context: CheckContext) -> Iterator[Finding]:
    """Report where output goes, and whether its encoding has all characters."""
    encoding = stdout().encoding or "unknown"
    where = f"{terminal_size().columns} columns" if stdout().isatty() else "not a terminal"
    variables = ", ".join(name for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS") if os.environ.get(name))
    yield ok(
        "terminal",
        f"stdout is {where}, TERM={os.environ.get('TERM', '')}{variables and f', set: {variables}'}",
    )
    encodings = (
        f"stdout {encoding}, files {sys.getfilesystemencoding()}, locale {'.'.join(filter(None, _locale()))}"
    )
    if encoding.lower().replace("-", "") == "utf8":
        yield ok("encoding", encodings)
    else:
        yield warn(
            "encoding", f"{encodings}: other characters become ?", "set PYTHONUTF8=1, or a UTF-8 locale"
        )


def _locale() -> tuple[str | None, str | None]:
    try:
        return locale.getlocale()
    except ValueError:
        return "unknown", None
