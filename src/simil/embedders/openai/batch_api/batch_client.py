"""Files and batches at the server: the requests of OpenAI's Batch API.

Follows the published specification of `/v1/files` and `/v1/batches`. What was uploaded or begun is looked for
before it is sent again: a request whose answer was lost may have done its work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from threading import Condition
from typing import IO, TYPE_CHECKING, Any, TypeVar

from simil._version import __version__
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.endpoint import Endpoint
from simil.embedders.openai.error_replies import refusal
from simil.embedders.openai.protocol import BadAnswer, Reply, json_of
from simil.embedders.openai.retries import RequestFailed, Retries
from simil.embedders.openai.transport import Timeout, broken_request
from simil.errors import RequestRejected, ServerFailed
from simil.frozen import Frozen

if TYPE_CHECKING:
    import httpx

__all__ = ["BatchClient", "BatchStatus"]

_Found = TypeVar("_Found")

_WINDOW, _ENDPOINT, _PURPOSE = "24h", "/v1/embeddings", "batch"
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGE = 100


class BatchStatus(Frozen):
    """A batch as the server describes it."""

    id: str
    status: str
    input_file: str
    output_file: str | None
    error_file: str | None
    done: int
    failed: int
    total: int
    metadata: Mapping[str, str]
    fault: tuple[str, str] | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> BatchStatus:
        """Return what a document of the API says; `fault` is the code and the message of why it failed.

        Raises `RequestFailed` for one that describes no batch.
        """
        try:
            return cls._read(document)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
            raise RequestFailed(ServerFailed("the server sent JSON that describes no batch")) from exc

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> BatchStatus:
        counts = document.get("request_counts") or {}
        faults = (document.get("errors") or {}).get("data") or []
        return cls(
            _named(document["id"]),
            _named(document["status"]),
            _named(document["input_file_id"]),
            document.get("output_file_id"),
            document.get("error_file_id"),
            counts.get("completed") or 0,
            counts.get("failed") or 0,
            counts.get("total") or 0,
            dict(document.get("metadata") or {}),
            (str(faults[0].get("code")), str(faults[0].get("message"))) if faults else None,
        )

    @property
    def is_over(self) -> bool:
        """Whether it goes on no more."""
        return self.status in _OVER


def _named(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


class BatchClient:
    """Talks to one server; raises a `ProviderError` for what it refuses or does not answer."""

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        *,
        model: str,
        retries: Retries,
        timeout: Timeout,
        clock: Clock,
    ) -> None:
        """Connect to nothing yet."""
        self.host = endpoint.host
        self._endpoint = endpoint
        self._api_key = api_key
        self._model = model
        self._retries = retries
        self._timeout = timeout
        self._clock = clock
        self._opened: httpx.Client | None = None

    def upload(self, name: str, file: IO[bytes]) -> str:
        """Return the id of a file of that unique name with the content of `file`, sent unless it is there."""
        return self._once(lambda: self.find_file(name), lambda: self._upload(name, file))

    def find_file(self, name: str) -> str | None:
        """Return the id of the uploaded file of that name, None if there is none."""
        rows = self._pages("files", {"purpose": _PURPOSE})
        return next((str(row["id"]) for row in rows if row.get("filename") == name), None)

    def create(self, file: str, metadata: Mapping[str, str]) -> BatchStatus:
        """Return the batch of an uploaded file with that unique metadata, begun unless it is there."""
        body = {
            "input_file_id": file,
            "endpoint": _ENDPOINT,
            "completion_window": _WINDOW,
            "metadata": dict(metadata),
        }
        return self._once(
            lambda: self.find_batch(metadata),
            lambda: BatchStatus.of(self._document("POST", "batches", json=body)),
        )

    def find_batch(self, metadata: Mapping[str, str]) -> BatchStatus | None:
        """Return the batch with that metadata, None if there is none that was taken on."""
        return next(
            (each for each in self.batches() if each.metadata == metadata and each.status != "failed"), None
        )

    def batches(self) -> Iterator[BatchStatus]:
        """Yield all batches of the account, the newest first."""
        return map(BatchStatus.of, self._pages("batches", {"limit": str(_PAGE)}))

    def batch(self, name: str) -> BatchStatus:
        """Return a batch as it is now."""
        return self._tried(lambda: BatchStatus.of(self._document("GET", f"batches/{name}")))

    def cancel(self, name: str) -> BatchStatus:
        """Have a batch go on no more, and return it."""
        return self._tried(lambda: BatchStatus.of(self._document("POST", f"batches/{name}/cancel")))

    def download(self, name: str, file: IO[bytes]) -> None:
        """Make `file` a copy of the file of that id; it is read from its beginning next."""
        self._tried(lambda: self._download(name, file))
        file.seek(0)

    def pause(self, seconds: float) -> None:
        """Wait, as long as the clock says."""
        with (waiting := Condition()):
            self._clock.wait(waiting, seconds)

    def close(self) -> None:
        """Close the connection."""
        if self._opened is not None:
            self._opened.close()

    def _once(self, find: Callable[[], _Found | None], make: Callable[[], _Found]) -> _Found:
        """Return what `find` finds, else what `make` makes; after a failure it is looked for again."""

        def attempt() -> _Found:
            found = find()
            return make() if found is None else found

        return self._tried(attempt)

    def _tried(self, attempt: Callable[[], _Found]) -> _Found:
        """Return what `attempt` returns, tried again while that may help."""
        tries, first = 0, self._clock.now()
        while True:
            try:
                return attempt()
            except RequestFailed as exc:
                tries += 1
                spent = self._clock.now() - first
                wait = self._retries.wait(tries, exc.retry_after, random.random(), spent)
                if wait is None or not exc.may_be_retried:
                    raise exc.final_error(tries) from exc
                self.pause(wait)

    def _upload(self, name: str, file: IO[bytes]) -> str:
        file.seek(0)
        form = {"file": (name, file, "application/jsonl")}
        document = self._document("POST", "files", files=form, data={"purpose": _PURPOSE})
        if not isinstance(document.get("id"), str):
            raise RequestFailed(ServerFailed(f"{self.host} sent JSON that describes no file"))
        return str(document["id"])

    def _download(self, name: str, file: IO[bytes]) -> None:
        import httpx

        file.seek(0)
        file.truncate()
        try:
            with self._client().stream("GET", self._url(f"files/{name}/content")) as response:
                if not response.is_success:
                    response.read()
                    raise self._refused(response, f"files/{name}")
                for chunk in response.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as exc:
            raise broken_request(exc, self.host, self._timeout) from exc

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = self._tried(lambda: self._page(path, {**query, **after}))  # noqa: B023
            rows = page["data"]
            yield from rows
            if not page.get("has_more") or not rows:
                return
            after = {"after": str(rows[-1]["id"])}

    def _page(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        page = self._document("GET", path, params=query)
        rows = page.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise RequestFailed(ServerFailed(f"{self.host} sent JSON that is no list of {path}"))
        return page

    def _document(self, method: str, path: str, **content: Any) -> Mapping[str, Any]:
        import httpx

        try:
            response = self._client().request(method, self._url(path), **content)
        except httpx.HTTPError as exc:
            raise broken_request(exc, self.host, self._timeout) from exc
        if not response.is_success:
            raise self._refused(response, path)
        try:
            document = json_of(response.content)
        except BadAnswer as exc:
            raise RequestFailed(ServerFailed(f"{self.host} {exc}", hint=exc.hint)) from exc
        if not isinstance(document, dict):
            raise RequestFailed(ServerFailed(f"{self.host} sent JSON that describes no batch"))
        return document

    def _refused(self, response: httpx.Response, path: str) -> RequestFailed:
        if response.status_code == 404 and "/" in path:
            said = f"{self.host} does not have {path} any more (404)"
            hint = "remove the .batch.json file beside the output to start over, or check the key"
            return RequestFailed(RequestRejected(said, hint=hint))
        if response.status_code == 404:
            said = f"{self.host} has no batches at {self._endpoint.address.removesuffix('/embeddings')} (404)"
            return RequestFailed(RequestRejected(said, hint="leave out --batch, or check the base URL"))
        headers = {name.lower(): value for name, value in response.headers.items()}
        return refusal(
            Reply(response.status_code, headers, response.content),
            count=0,
            endpoint=self._endpoint,
            model=self._model,
            credential=self._endpoint.credential(self._api_key),
            scrub=self._endpoint.scrubber(self._api_key),
            date=self._clock.date(),
        )

    def _url(self, path: str) -> str:
        return self._endpoint.beside(path)

    def _client(self) -> httpx.Client:
        import httpx

        if self._opened is None:
            headers = {
                "Accept": "application/json",
                "User-Agent": f"simil/{__version__}",
                **self._endpoint.authorization(self._api_key),
            }
            timeout = httpx.Timeout(self._timeout.total, connect=self._timeout.connect)
            self._opened = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False)
        return self._opened
