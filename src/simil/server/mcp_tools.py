"""The tools of `simil mcp`: what each takes, what it does with the one session, and what it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil import similarity
from simil.config import Settings
from simil.embedders.base import Kind
from simil.errors import SimilError, UsageError
from simil.frozen import Frozen
from simil.progress import Advance, Status, Total
from simil.server.allowed_folders import AllowedFolders
from simil.server.mcp_tool_schemas import TOOLS, VECTOR_SUFFIXES
from simil.server.searchable_inputs import SearchableInputs
from simil.server.tool_arguments import checked_arguments
from simil.session.in_memory import texts_in_memory
from simil.session.session import Session
from simil.tasks.corpus import Corpus
from simil.tasks.embedding import EmbedOptions
from simil.texts import ReadOptions
from simil.vectors import sidecar_path

if TYPE_CHECKING:
    from simil.tasks.retrieval import SearchResult
    from simil.texts import Text
    from simil.vectors import VectorBatch

    WriteVectors = Callable[[Path, Iterator[VectorBatch], str, EmbedOptions], None]

__all__ = ["CallStopped", "McpTools", "ToolAnswer"]

# Characters of a text that a hit shows.
_SNIPPET = 300


class CallStopped(SimilError):
    """The program has cancelled a call."""


class ToolAnswer(Frozen):
    """What a tool answers: the same as text, for a model to read, and as data."""

    text: str
    data: Mapping[str, Any]


class McpTools:
    """Carries out calls, one after the other, with a session that stays open between them.

    Calls may come from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        folders: AllowedFolders,
        write: WriteVectors,
        *,
        dimensions: int | None = None,
    ) -> None:
        """Open nothing yet; `write` writes vectors of a model, in the format that a file's suffix names."""
        self._settings = settings
        self._folders = folders
        self._write = write
        self._one_call = threading.Lock()
        self._stop = threading.Event()
        self._session = Session(settings, dimensions=dimensions, progress=self._progress)
        self._inputs = SearchableInputs(self._session, folders, self._check_stopped)

    def call(self, name: str, given: Mapping[str, Any], stop: threading.Event) -> ToolAnswer:
        """Return the answer of one of the `TOOLS`; `stop` ends its work between two batches.

        Raises `UsageError` for arguments that the tool does not take, `CallStopped`, and what its work does.
        """
        arguments = checked_arguments(TOOLS[name].takes, given)
        tools: Mapping[str, Callable[..., ToolAnswer]] = {
            "search": self._search,
            "compare": self._compare,
            "embed": self._embed,
            "models": self._models,
        }
        with self._one_call:
            self._stop = stop
            self._check_stopped()
            return tools[name](**arguments)

    def close(self) -> None:
        """Let go of the model."""
        self._session.close()

    @contextmanager
    def _progress(
        self, what: str, *, total: Total = None, unit: str = "", status: Status | None = None
    ) -> Iterator[Advance]:
        yield lambda done: self._check_stopped()

    def _check_stopped(self) -> None:
        if self._stop.is_set():
            raise CallStopped("the call was cancelled")

    def _search(
        self,
        query: str,
        paths: Sequence[str] | None = None,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> ToolAnswer:
        from simil.tasks.retrieval import TOP_K
        from simil.tasks.stored_retrieval import search_stored

        # First, so that vectors of another model are refused, and do not become those of the session.
        asked = self._session.embed(texts_in_memory([query], "query"), Kind.QUERY)
        named = paths or [str(folder) for folder in self._folders.folders]
        sources = [self._inputs.source(path) for path in dict.fromkeys(named)]
        results, corpus = search_stored(asked, sources, top_k=top_k or TOP_K, threshold=threshold)
        hits = [*self._hits(results[0], corpus)] if results else []
        searched = sum(len(one) if isinstance(one, Corpus) else one.rows for one in sources)
        model = self._session.embedder().stamp
        lines = [f"{hit['score']:.4f}  {_place(hit)}  {hit['text']}" for hit in hits]
        head = (
            f"{len(hits)} of {searched:,} texts, by {model}, best first:"
            if hits
            else _nothing(results, searched)
        )
        return ToolAnswer("\n".join([head, *lines]), {"hits": hits, "searched": searched, "model": model})

    def _hits(self, result: SearchResult, corpus: Corpus) -> Iterator[dict[str, Any]]:
        for row, score in zip(result.rows.tolist(), result.scores.tolist(), strict=True):
            text = corpus.texts[row]
            hit: dict[str, Any] = {"path": self._folders.shown(text.origin.source)}
            line = text.origin.line
            if line is not None:
                hit["line"] = line
            # Where a text has no id of its own, it is its line.
            if line is None or text.id not in (str(line), f"{text.origin.source}:{line}"):
                hit["id"] = _snippet(text.id)
            yield hit | {"score": round(score, 4), "text": _snippet(text.text)}

    def _compare(self, texts: Sequence[str]) -> ToolAnswer:
        corpus = self._session.embed(texts_in_memory(texts))
        scores = similarity.matrix(corpus.vectors, corpus.vectors).tolist()
        rounded = [[round(score, 4) for score in row] for row in scores]
        model = self._session.embedder().stamp
        if len(texts) == 2:
            score = rounded[0][1]
            return ToolAnswer(f"{score:.4f} (cosine, by {model})", {"score": score, "model": model})
        lines = [" ".join(f"{score:7.4f}" for score in row) for row in rounded]
        head = f"cosine of each text with each, by {model}:"
        return ToolAnswer("\n".join([head, *lines]), {"matrix": rounded, "model": model})

    def _embed(
        self,
        output: str,
        path: str | None = None,
        texts: Sequence[str] | None = None,
        kind: str = "document",
        overwrite: bool = False,
    ) -> ToolAnswer:
        from simil.tasks.embedding import embed_stream

        if (path is None) == (texts is None):
            raise UsageError("either path or texts says what to embed", hint="pass one of them")
        target = self._target(output, overwrite=overwrite)
        given = texts_in_memory(texts) if texts is not None else self._texts_of(path or "")
        embedder = self._session.embedder()
        wanted = EmbedOptions(Kind(kind), self._session.dimensions)
        counted = _Counted()
        with self._progress("embedding") as advance:
            batches = embed_stream(given, embedder, wanted, on_done=advance)
            self._write(target, counted.rows(batches, embedder.stamp), embedder.stamp, wanted)
        shown = self._folders.shown(target)
        data = {
            "path": shown,
            "count": counted.count,
            "dimensions": counted.dimensions,
            "model": embedder.stamp,
        }
        said = f"{shown}: {counted.count:,} vectors of {counted.dimensions} dimensions by {embedder.stamp}"
        return ToolAnswer(said, data)

    def _target(self, output: str, *, overwrite: bool) -> Path:
        suffix = Path(output).suffix.lower()
        if suffix not in VECTOR_SUFFIXES:
            raise UsageError(f"output must end in one of {' '.join(VECTOR_SUFFIXES)}")
        path = self._folders.new_file(output, overwrite=overwrite)
        if suffix == ".npy":
            self._folders.new_file(str(sidecar_path(output)), overwrite=overwrite)
        return path

    def _texts_of(self, path: str) -> Iterator[Text]:
        found = self._folders.existing(path)
        if found.is_dir():
            raise UsageError("path is a folder", hint="name a file of texts")
        opened = self._session.open([str(found)], ReadOptions())
        if opened.holds_vectors:
            raise UsageError("the file holds vectors already", hint="name a file of texts")
        return self._session.texts(opened)

    def _models(self) -> ToolAnswer:
        from simil.models.model_choice import predict_choice
        from simil.models.status import all_models

        choice = predict_choice(self._settings)
        opened = self._session.opened
        states = [{"name": one.name, "state": one.description} for one in all_models(self._settings)]
        used = choice.name if opened is None else opened.stamp
        data = {"used": used, "why": choice.why, "models": states}
        lines = [f"{one['name']}: {one['state']}" for one in states]
        return ToolAnswer("\n".join([f"used: {used} ({choice.why})", *lines]), data)


class _Counted:
    """Counts vectors on their way into a file."""

    def __init__(self) -> None:
        self.count = 0
        self.dimensions = 0

    def rows(self, batches: Iterator[Any], model: str) -> Iterator[VectorBatch]:
        from simil.tasks.conversion import vector_batch

        for batch in batches:
            self.count += len(batch.texts)
            self.dimensions = batch.vectors.shape[1]
            yield vector_batch(batch.texts, batch.vectors, model)


def _nothing(results: Sequence[SearchResult], searched: int) -> str:
    if not results:
        return "there are no texts to search"
    return f"none of {searched:,} texts reaches the threshold; the best has {results[0].nearest_score:.4f}"


def _place(hit: Mapping[str, Any]) -> str:
    place = f"{hit['path']}:{hit['line']}" if "line" in hit else f"{hit['path']}"
    return f"{place} {hit['id']}" if "id" in hit else place


def _snippet(text: str) -> str:
    joined = " ".join(text[: 4 * _SNIPPET].split())
    return joined if len(joined) <= _SNIPPET and len(text) <= 4 * _SNIPPET else f"{joined[: _SNIPPET - 1]}…"
