"""The routes of `simil serve`, as a Starlette application."""

from __future__ import annotations

import binascii
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simil.frozen import Frozen
from simil.server.api_errors import ApiError
from simil.server.request_fields import EmbeddingRequest
from simil.server.served_embedder import WantedVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from simil.server.served_names import ServedNames
    from simil.server.shared_batches import Computed, SharedBatches

    Endpoint = Callable[[Request], Awaitable[Response]]

__all__ = ["HttpApp", "RequestLimits"]

log = logging.getLogger("simil")

_JSON = "application/json"


class RequestLimits(Frozen):
    """How large a request may be."""

    body_bytes: int = 32 << 20
    texts: int = 2048


class HttpApp:
    """What is served, and how each route answers."""

    def __init__(
        self, names: ServedNames, texts: SharedBatches, limits: RequestLimits, *, api_key: str | None
    ) -> None:
        """Serve the model behind `texts`; with `api_key`, only to those who send it."""
        self._names = names
        self._texts = texts
        self._limits = limits
        self._key = None if api_key is None else api_key.encode()

    def starlette(self) -> Starlette:
        """Return the application."""
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        def route(path: str, endpoint: Endpoint, method: str) -> Route:
            return Route(path, self._guarded(endpoint), methods=[method])

        routes = [
            route("/v1/embeddings", self._embeddings, "POST"),
            route("/embeddings", self._embeddings, "POST"),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Let through who may ask, and answer errors as OpenAI does."""

        async def guarded(request: Request) -> Response:
            try:
                self._check_key(request)
                return await endpoint(request)
            except ApiError as exc:
                return _refused(exc)
            except Exception as exc:  # noqa: BLE001 (the server goes on)
                log.error("%s failed: %s: %s", request.url.path, type(exc).__name__, exc)
                return _refused(ApiError(500, "the server failed; its log says why"))

        return guarded

    def _check_key(self, request: Request) -> None:
        if self._key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._key):
            said = "the API key is missing or wrong: send the one that the server was started with"
            raise ApiError(401, said, code="invalid_api_key", headers={"www-authenticate": "Bearer"})

    async def _body(self, request: Request) -> bytes:
        most = self._limits.body_bytes
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise _too_large(most)
        return bytes(body)

    async def _embeddings(self, request: Request) -> Response:
        wanted = EmbeddingRequest.read(await self._body(request), self._names, self._limits.texts)
        form = WantedVectors(wanted.kind, wanted.dimensions)
        computed = await self._texts.compute(form, wanted.texts)
        vectors = _as_base64(computed.values) if wanted.as_base64 else computed.values
        return _answered(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector}
                    for index, vector in enumerate(vectors)
                ],
                "model": self._names.stamp,
                "usage": _usage(computed),
            }
        )


def _usage(computed: Computed) -> Mapping[str, int]:
    tokens = sum(computed.tokens)
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _as_base64(vectors: NDArray[np.float32]) -> Sequence[str]:
    little = vectors.astype("<f4", copy=False)
    return [binascii.b2a_base64(vector.tobytes(), newline=False).decode("ascii") for vector in little]


def _answered(content: Any) -> Response:
    import orjson
    from starlette.responses import Response

    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type=_JSON)


def _refused(exc: ApiError) -> Response:
    from starlette.responses import Response

    return Response(exc.body, exc.status, headers=dict(exc.headers), media_type=_JSON)


async def _not_routed(request: Request, exc: Exception) -> Response:
    from starlette.exceptions import HTTPException

    assert isinstance(exc, HTTPException)
    said = f"{request.method} {request.url.path}: {exc.detail.lower()}"
    return _refused(ApiError(exc.status_code, said, headers=exc.headers or {}))


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"the body has more than {most:,} bytes; send fewer texts in a request")
