"""pylance, which the extra [lance] installs, and what its errors mean."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from simil.errors import (
    ExtraMissing,
    InputError,
    KeyMissing,
    KeyRejected,
    Place,
    ServerFailed,
    SimilError,
    Unreachable,
    UsageError,
)
from simil.foreign import is_panic
from simil.formats.arrow_library import arrow
from simil.formats.freed_memory import keep_freed_memory
from simil.formats.library_errors import reason
from simil.formats.remote_paths import is_remote

__all__ = ["lance", "lance_errors", "lance_write_errors", "storage_options"]

_LOG = "LANCE_LOG"
# Where in Lance's source an error was raised, which its messages end with.
_SOURCE_LINE = re.compile(r",?\s*\S+\.rs:\d+:\d+.*", re.DOTALL)
_OS_NUMBER = re.compile(r"\s*\(os error \d+\)")
_WRAPPING = re.compile(r"\b(?:LanceError\(\w+\)|External error|Encountered internal error[^:]*):\s*")
# A server that does not answer ends a run after seconds, not after the three minutes of Lance's own.
_PATIENCE = {"connect_timeout": "5s", "client_max_retries": "3", "client_retry_timeout": "20"}
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
# What messages hold about a server, in lower case, by what it means.
_NO_CREDENTIALS = ("credential", "no provider", "metadata endpoint", "169.254.169.254")
_REFUSED = (
    "status code: 401",
    "status code: 403",
    "accessdenied",
    "signaturedoesnotmatch",
    "invalidaccesskey",
)
_NO_BUCKET = ("nosuchbucket", "containernotfound", "the specified bucket does not exist")
_NO_ANSWER = (
    "error sending request",
    "http error",
    "timed out",
    "dns error",
    "connection refused",
    "resolve region",
)
_OF_SERVER = ("generic s3 error", "generic gcs error", "generic microsoftazure error", "status code: 5")


def lance() -> Any:
    """Return the module, with `fragment`; raises ExtraMissing without the extra."""
    if "lance" not in sys.modules:
        with suppress(ExtraMissing):
            arrow()  # which keeps pyarrow, that Lance imports, from importing more
        keep_freed_memory()
    try:
        with _quiet():
            import lance.fragment
            import lance.indices
    except ImportError as exc:
        raise ExtraMissing("Lance datasets need pylance, which is not installed", extra="lance") from exc
    return lance


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lance from writing warnings to stderr; it asks the environment about that when it is imported."""
    if "lance" in sys.modules or _LOG in os.environ:
        yield
        return
    os.environ[_LOG] = "error"
    try:
        yield
    finally:
        del os.environ[_LOG]


def storage_options(path: str, environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """Return what Lance has to know of an object store beside its own environment variables; None for a path.

    An endpoint that is named with http:// is meant.
    """
    if not is_remote(path):
        return None
    endpoint = environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT") or ""
    plain = {"allow_http": "true"} if endpoint.lower().startswith("http://") else {}
    return {**_PATIENCE, **plain}


@contextmanager
def lance_errors(place: Place, what: str = "a sound Lance dataset") -> Iterator[None]:
    """Turn what Lance raises about the dataset at `place` into InputError: it is not `what`.

    For an address it may be a ProviderError: no answer, no credentials, or no right to read.
    """
    with _translated(place) as fault:
        yield
    if fault:
        raise InputError(f"is not {what}: {said(fault[0])}", place=place) from fault[0]


@contextmanager
def lance_write_errors(place: Place, hint: str = "check -o") -> Iterator[None]:
    """Turn what Lance raises while it writes into UsageError; for an address as in `lance_errors`."""
    with _translated(place) as fault:
        yield
    if fault:
        raise UsageError(f"cannot be written: {said(fault[0])}", hint=hint, place=place) from fault[0]


def said(exc: BaseException) -> str:
    """Return what an exception of Lance's says, without where in its source that was."""
    text = _OS_NUMBER.sub("", _WRAPPING.sub("", _SOURCE_LINE.sub("", str(exc))))
    return reason(type(exc)(text)) if isinstance(exc, OSError | ValueError | RuntimeError) else reason(exc)


@contextmanager
def _translated(place: Place) -> Iterator[list[BaseException]]:
    """Yield a list that gets what is raised, unless it is an error of ours or the server's."""
    caught: list[BaseException] = []
    try:
        yield caught
    except (SimilError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        if not isinstance(exc, Exception) and not is_panic(exc):
            raise
        error = _error_of_server(exc, place) if is_remote(place.source) else None
        if error is not None:
            raise error from exc
        caught.append(exc)


def _error_of_server(exc: BaseException, place: Place) -> SimilError | None:
    text = str(exc).lower()

    def has(marks: tuple[str, ...]) -> bool:
        return any(mark in text for mark in marks)

    if has(_NO_BUCKET):
        return InputError("no such bucket", hint="check the address and the endpoint", place=place)
    if has(_REFUSED):
        return KeyRejected("the server refuses access", hint=_hint(place), place=place)
    if has(_NO_CREDENTIALS):
        return KeyMissing("there are no credentials for it", hint=_hint(place), place=place)
    if has(_NO_ANSWER):
        return Unreachable("the server cannot be reached", hint=_hint_of_network(place), place=place)
    if has(_OF_SERVER):
        return ServerFailed(f"the server failed: {said(exc)}", place=place)
    return None


def _hint_of_network(place: Place) -> str:
    is_s3 = place.source.lower().startswith("s3")
    return "check the network, AWS_REGION and AWS_ENDPOINT_URL" if is_s3 else "check the network"


def _hint(place: Place) -> str:
    scheme = place.source.partition("://")[0].lower()
    return _CREDENTIALS.get(scheme[:2], "check the credentials in the environment")
