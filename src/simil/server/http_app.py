"""The routes of `simil serve`, as a Starlette application."""

from __future__ import annotations

import asyncio
import binascii
import hmac
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Kind
from simil.frozen import Frozen
from simil.server.api_errors import ApiError
from simil.server.loopback import check_local
from simil.server.request_fields import RerankRequest, SimilarityRequest, WantedEmbeddings
from simil.server.served_embedder import WantedVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from simil.server.served_names import ServedNames
    from simil.server.server_metrics import ServerMetrics
    from simil.server.shared_batches import Computed, SharedBatches
    from simil.similarity import Metric

    Endpoint = Callable[[Request], Awaitable[Response]]

__all__ = ["HttpApp", "RequestLimits", "ServedPairs", "ServedTexts"]

log = logging.getLogger("simil")

_JSON = "application/json"
# Clients' base URLs end in /v1 or not.
_VERSIONS = ("/v1", "")
# As nginx logs a client that has hung up.
_GONE = 499


class RequestLimits(Frozen):
    """How large a request may be, and how much of all bodies may be arriving at a time."""

    body_bytes: int = 32 << 20
    texts: int = 2048
    arriving_bytes: int = 256 << 20


class ServedTexts(Frozen, eq=False):
    """A model that embeds: its names, its queue, how many dimensions it gives unasked, and its metric."""

    names: ServedNames
    batches: SharedBatches
    dimensions: int | None
    metric: Metric

    async def computed(self, texts: Sequence[str], kind: Kind, dimensions: int | None) -> Computed:
        """Return the vectors of texts; errors as in `SharedBatches.compute`."""
        return await self.batches.compute(WantedVectors(kind, dimensions or self.dimensions), texts)


class ServedPairs(Frozen, eq=False):
    """A cross-encoder: its names, and its queue."""

    names: ServedNames
    batches: SharedBatches


class HttpApp:
    """What is served, and how each route answers."""

    def __init__(
        self,
        texts: ServedTexts | None,
        pairs: ServedPairs | None,
        limits: RequestLimits,
        metrics: ServerMetrics,
        *,
        api_key: str | None,
    ) -> None:
        """Serve these models, one of them at least; with `api_key`, only to those who send it."""
        self._texts = texts
        self._pairs = pairs
        self._limits = limits
        self._metrics = metrics
        self._key = None if api_key is None else os.fsencode(api_key)
        self._arriving = 0

    def starlette(self) -> Starlette:
        """Return the application."""
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        def route(path: str, endpoint: Endpoint, method: str = "POST") -> Route:
            return Route(path, self._guarded(endpoint), methods=[method])

        routes = [
            Route("/health", _healthy, methods=["GET"]),
            route("/metrics", self._show_metrics, "GET"),
            *(route(f"{version}/models", self._models, "GET") for version in _VERSIONS),
            *(route(f"{version}/models/{{name:path}}", self._model, "GET") for version in _VERSIONS),
        ]
        if self._texts is not None:
            routes = [*(route(f"{version}/embeddings", self._embeddings) for version in _VERSIONS), *routes]
            routes += [route(f"{version}/similarity", self._similarity) for version in _VERSIONS]
        if self._pairs is not None:
            routes += [route(f"{version}/rerank", self._rerank) for version in (*_VERSIONS, "/v2")]
        return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Let through who may ask, and answer errors as OpenAI does."""
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response

        async def guarded(request: Request) -> Response:
            started = time.perf_counter()
            try:
                self._check_asker(request)
                answer = await endpoint(request)
            except ApiError as exc:
                answer = _refused(exc)
            except ClientDisconnect:
                answer = Response(status_code=_GONE)  # Nobody gets it; metrics count it.
            except Exception as exc:  # noqa: BLE001 (the server goes on)
                log.error("%s failed: %s: %s", request.url.path, type(exc).__name__, exc)
                answer = _refused(ApiError(500, "the server failed; its log says why"))
            self._metrics.note_request(endpoint.__name__.strip("_"), answer.status_code, started)
            return answer

        return guarded

    def _check_asker(self, request: Request) -> None:
        if self._key is None:
            check_local(request.headers.get("host", ""), request.headers.get("origin"))
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Headers are bytes, which Starlette shows as Latin-1.
        key = given.strip().encode("latin-1")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key, self._key):
            said = "the API key is missing or wrong: send the one that the server was started with"
            raise ApiError(401, said, code="invalid_api_key", headers={"www-authenticate": "Bearer"})

    async def _body(self, request: Request) -> bytearray:
        most = self._limits.body_bytes
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)
        if (coding := request.headers.get("content-encoding", "identity")) != "identity":
            raise ApiError(415, f"bodies in {coding[:80]!r} are not supported: send plain JSON")
        body = bytearray()
        try:
            async for part in request.stream():
                self._arriving += len(part)
                body += part
                if len(body) > most:
                    raise _too_large(most)
                if self._arriving > self._limits.arriving_bytes:
                    said = "too many large bodies are arriving at a time; ask again in 1 s"
                    raise ApiError(503, said, code="overloaded", headers={"retry-after": "1"})
        finally:
            self._arriving -= len(body)
        return body

    async def _embeddings(self, request: Request) -> Response:
        assert self._texts is not None
        wanted = WantedEmbeddings.read(await self._body(request), self._texts.names, self._limits.texts)
        computing = self._texts.computed(wanted.texts, wanted.kind, wanted.dimensions)
        computed = await _unless_gone(request, computing)
        self._metrics.note_texts(len(wanted.texts), sum(computed.tokens))
        vectors = _as_base64(computed.values) if wanted.as_base64 else computed.values
        return _answered(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector}
                    for index, vector in enumerate(vectors)
                ],
                "model": self._texts.names.stamp,
                "usage": _usage(computed),
            }
        )

    async def _similarity(self, request: Request) -> Response:
        from simil import similarity

        assert self._texts is not None
        wanted = SimilarityRequest.read(await self._body(request), self._texts.names, self._limits.texts)
        texts = [*wanted.left, *wanted.right]
        computed = await _unless_gone(request, self._texts.computed(texts, Kind.SYMMETRIC, None))
        self._metrics.note_texts(len(texts), sum(computed.tokens))
        left, right = computed.values[: len(wanted.left)], computed.values[len(wanted.left) :]
        compare = similarity.pairwise if wanted.by_pair else similarity.matrix
        scores = compare(left, right, self._texts.metric)
        return _answered({"scores": scores, "model": self._texts.names.stamp, "usage": _usage(computed)})

    async def _rerank(self, request: Request) -> Response:
        assert self._pairs is not None
        wanted = RerankRequest.read(await self._body(request), self._pairs.names, self._limits.texts)
        computing = self._pairs.batches.compute(None, [(wanted.query, text) for text in wanted.texts])
        computed = await _unless_gone(request, computing)
        self._metrics.note_texts(len(wanted.texts), 0)
        scores = computed.values[:, 0].tolist()
        order = sorted(range(len(scores)), key=lambda place: -scores[place])[: wanted.top_n]
        if wanted.is_cohere:
            results = [_cohere_result(wanted, place, scores[place]) for place in order]
            return _answered({"results": results, "model": self._pairs.names.stamp})
        return _answered([_tei_result(wanted, place, scores[place]) for place in order])

    async def _models(self, request: Request) -> Response:
        return _answered({"object": "list", "data": [_described(name) for name in self._every_name]})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._every_name:
            raise ApiError(404, f"the model {name!r} is not served here", code="model_not_found")
        return _answered(_described(name))

    @property
    def _every_name(self) -> Sequence[str]:
        return [
            name for served in (self._texts, self._pairs) if served is not None for name in served.names.every
        ]

    async def _show_metrics(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _unless_gone(request: Request, computing: Coroutine[Any, Any, Computed]) -> Computed:
    """Return what is computed for a request whose body is read; raises `ClientDisconnect`, and computes no
    further, once the client has hung up."""
    from starlette.requests import ClientDisconnect

    computed = asyncio.create_task(computing)
    gone = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait((computed, gone), return_when=asyncio.FIRST_COMPLETED)
        if not computed.done():
            raise ClientDisconnect
        return computed.result()
    finally:
        computed.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _healthy(request: Request) -> Response:
    return _answered({"status": "ok"})


def _described(name: str) -> Mapping[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "simil"}


def _cohere_result(wanted: RerankRequest, place: int, score: float) -> Mapping[str, object]:
    text = {"document": {"text": wanted.texts[place]}} if wanted.return_texts else {}
    return {"index": place, "relevance_score": score, **text}


def _tei_result(wanted: RerankRequest, place: int, score: float) -> Mapping[str, object]:
    text = {"text": wanted.texts[place]} if wanted.return_texts else {}
    return {"index": place, "score": score, **text}


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
