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
from simil.models.names import near_repository
from simil.near_names import did_you_mean

__all__ = ["translate", "unreachable"]

_BAD_TOKEN = "Invalid credentials in Authorization header"
_OTHER_TOKEN = "correct or unset HF_TOKEN, or log in with: hf auth login"
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
    gated = ModelError(
        f"{repo} is gated: accept its terms at {hub}/{repo}",
        hint="then set HF_TOKEN, or log in with: hf auth login",
    )
    by_status = {
        # Without a token the public hub answers this for repositories that do not exist, too.
        401: ModelError(
            f"{repo} does not exist on {hub}, or needs access",
            hint=meant or "check the name, or set HF_TOKEN, or log in with: hf auth login",
        ),
        403: ModelError(
            f"{hub} denies access to {repo}",
            hint="accept its terms there, and set HF_TOKEN to a token that may read gated models",
        ),
        404: ModelNotFound(f"there is no model {repo} on {hub}", hint=meant or "check the name"),
        429: RateLimited(f"{hub} accepts no more requests for now", hint="wait a while, or set HF_TOKEN"),
    }
    for kind, error in (*by_kind, (hf.GatedRepoError, gated)):
        if isinstance(exc, kind):
            return error
    if status == 401 and _BAD_TOKEN in str(exc):
        return ModelError(f"{hub} does not accept the token", hint=_OTHER_TOKEN)
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
