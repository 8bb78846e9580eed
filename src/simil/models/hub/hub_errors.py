"""Translates the hub library's errors into ours."""

from __future__ import annotations

import errno
from pathlib import Path

from simil.errors import (
    ModelDamaged,
    ModelError,
    ModelNotFound,
    RateLimited,
    RequestRejected,
    ServerFailed,
    SimilError,
    Unreachable,
)
from simil.models.names import did_you_mean, near_repository

__all__ = ["translate", "unreachable"]

_CONNECTION = "check the connection, or use a model that is on this machine"


def unreachable(repo: str, hub: str, *, why: str = "cannot be reached") -> Unreachable:
    """Return the error for a hub that is down or does not answer."""
    return Unreachable(f"{repo} cannot be fetched: {hub} {why}", hint=_CONNECTION)


def translate(
    exc: Exception, *, repo: str, revision: str, hub: str, cache: Path, file: str = ""
) -> SimilError:
    """Return our error for one that a call of the library raised.

    `hub` is the address as it may be shown, `cache` the folder that was written to, and `file` the
    requested file of the repository.
    """
    from huggingface_hub import errors as hf

    if isinstance(exc, hf.LocalEntryNotFoundError) and isinstance(exc.__cause__, Exception):
        exc = exc.__cause__  # "not in the cache either": the cause says why the hub did not help
    if isinstance(exc, hf.HFValidationError):
        return ModelNotFound(f"{repo!r} is not the name of a model repository", hint="write it org/name")
    if isinstance(exc, hf.HfHubHTTPError):
        return _from_status(exc, exc.response.status_code, repo=repo, revision=revision, hub=hub)
    if isinstance(exc, hf.HTTPError | ConnectionError | TimeoutError):
        return unreachable(repo, hub, why=f"cannot be reached ({_first_line(exc)})")
    if isinstance(exc, OSError) and exc.errno is not None:
        return _from_system(exc, repo=repo, cache=cache)
    if type(exc) is OSError:  # the library counted too few or too many bytes
        return ModelDamaged(f"{file} of {repo} does not match the hub's size", hint="run again")
    return ServerFailed(
        f"{repo} cannot be fetched: {hub} sent an invalid answer ({_first_line(exc)})",
        hint="check HF_ENDPOINT and proxies, or try again later",
    )


def _concerns_certificates(exc: OSError) -> bool:
    """Return whether loading certificates failed: such an error names no file, others do."""
    import ssl

    unnamed = exc.filename is None and exc.errno in {errno.ENOENT, errno.EISDIR, errno.EACCES}
    return unnamed or isinstance(exc, ssl.SSLError)


def _from_status(exc: Exception, status: int, *, repo: str, revision: str, hub: str) -> SimilError:
    from huggingface_hub import errors as hf

    by_kind = (
        (hf.DisabledRepoError, ModelError(f"{repo} was disabled on {hub}", hint="choose another model")),
        (hf.RevisionNotFoundError, ModelNotFound(f"{repo} has no revision {revision!r} on {hub}")),
        (hf.EntryNotFoundError, ServerFailed(f"{hub} lists a file of {repo} that it does not have")),
    )
    meant = did_you_mean(near_repository(repo))
    gated = ModelError(f"{repo} needs access: set HF_TOKEN", hint=f"and accept its terms at {hub}/{repo}")
    by_status = {
        # Without a token the public hub answers this for repositories that do not exist, too.
        401: ModelError(
            f"{repo} needs access: set HF_TOKEN", hint=meant or "or check the name, it may not exist"
        ),
        403: gated,
        404: ModelNotFound(f"there is no model {repo} on {hub}", hint=meant or "check the name"),
        429: RateLimited(f"{hub} accepts no more requests for now", hint="wait a while, or set HF_TOKEN"),
    }
    for kind, error in (*by_kind, (hf.GatedRepoError, gated)):
        if isinstance(exc, kind):
            return error
    if status in by_status:
        return by_status[status]
    kind_of_failure = ServerFailed if status >= 500 or status == 408 else RequestRejected
    return kind_of_failure(f"{repo} cannot be fetched: {hub} answered {status}", hint="try again later")


def _from_system(exc: OSError, *, repo: str, cache: Path) -> SimilError:
    if _concerns_certificates(exc):
        return Unreachable(
            f"{repo} cannot be fetched: the certificates cannot be read ({exc.strerror or _first_line(exc)})",
            hint="check SSL_CERT_FILE and SSL_CERT_DIR",
        )
    full = exc.errno in {errno.ENOSPC, errno.EDQUOT}
    hint = "free some space, or set HF_HOME to another disk" if full else "set HF_HOME to a writable folder"
    return ModelError(f"{repo} cannot be stored in {cache}: {exc.strerror}", hint=hint)


def _first_line(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    return lines[0][:200] if lines else type(exc).__name__
