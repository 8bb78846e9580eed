"""What a process inherits, set to what a login shell gives: the tests pass wherever they are started from.

`nohup`, a shell that starts a job with `&`, cron and CI each hand down other signals, limits and variables,
and every process that a test starts inherits them.
"""

from __future__ import annotations

import importlib
import locale
import os
import resource
import signal
from contextlib import suppress

__all__ = ["INITIAL_ENVIRONMENT", "restore_signals", "set_process_defaults"]

# The environment of the tests, without what a single test sets.
INITIAL_ENVIRONMENT: dict[str, str] = {}
# What changes how simil, Python, a terminal or a library behaves.
_PREFIXES = (
    "SIMIL_", "OPENAI_", "HF_", "HUGGINGFACE", "TRANSFORMERS_", "SENTENCE_TRANSFORMERS_",
    "PYTHON", "LC_", "TTY_", "XDG_",
)  # fmt: skip
_SUFFIXES = ("_PROXY", "_NUM_THREADS")
_NAMES = {
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "LANGUAGE",
    "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
}  # fmt: skip
# Python ignores these itself, and gives its children the defaults.
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def set_process_defaults() -> None:
    """Give this process, and so those that it starts, the usual signals, environment, umask and limits."""
    restore_signals()
    _clean_environment()
    os.umask(0o022)
    _set_limits()
    _import_numpy()


def restore_signals() -> None:
    """Let children start with each signal at its default and none blocked.

    A child inherits an ignored signal, but not a handler: so a run under `nohup` still ignores the hangup
    by a handler that does nothing.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _handlers.get(number, signal.SIG_DFL))


_handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: lambda number, frame: None}


def _clean_environment() -> None:
    """Remove what the user of this machine has set; the locale is C.UTF-8."""
    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(_PREFIXES) or upper.endswith(_SUFFIXES) or upper in _NAMES:
            del os.environ[name]
    for name in ("COLUMNS", "LINES"):
        os.unsetenv(name)  # readline, which pytest imports, sets them behind Python's back
    # Threads that wait for work sleep, and scikit-learn takes one: else the tests burn cores on waiting.
    os.environ |= {
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "OMP_WAIT_POLICY": "PASSIVE",
        "LOKY_MAX_CPU_COUNT": "1",
    }
    INITIAL_ENVIRONMENT.update(os.environ)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")


def _import_numpy() -> None:
    """Let OpenBLAS have one thread here: two for products as small as the tests' wait for each other."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    importlib.import_module("numpy")
    importlib.import_module("scipy.linalg")
    del os.environ["OPENBLAS_NUM_THREADS"]


def _set_limits() -> None:
    for what, usual in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_STACK, 8 << 20),
        (resource.RLIMIT_CPU, resource.RLIM_INFINITY),
        (resource.RLIMIT_FSIZE, resource.RLIM_INFINITY),
        (resource.RLIMIT_DATA, resource.RLIM_INFINITY),
        (resource.RLIMIT_AS, resource.RLIM_INFINITY),
    ):
        hard = resource.getrlimit(what)[1]
        with suppress(ValueError):  # above a hard limit that this process may not raise
            resource.setrlimit(what, (usual if hard == resource.RLIM_INFINITY else min(usual, hard), hard))
