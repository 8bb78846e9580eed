"""What a request is refused with, in the form of OpenAI's errors."""

from __future__ import annotations

from collections.abc import Mapping

from simil.errors import ProviderError, SimilError, UsageError

__all__ = ["ApiError", "of_simil_error"]

_NONE: Mapping[str, str] = {}
# The types that OpenAI's clients know, by status.
_TYPES = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class ApiError(Exception):
    """A request that is not answered as asked; `message` is for whoever reads the client's log.

    `code` is one of OpenAI's, or None; `param` is the field of the request that is wrong.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] = _NONE,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers

    @property
    def body(self) -> bytes:
        """The answer's JSON."""
        import orjson

        kind = _TYPES.get(self.status, "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})


def of_simil_error(exc: SimilError) -> ApiError:
    """Return what a request gets that an error of ours has ended."""
    status = 502 if isinstance(exc, ProviderError) else 400 if isinstance(exc, UsageError) else 500
    return ApiError(status, str(exc))
