"""What `simil search` reads: queries, and the texts, vectors and datasets to search."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simil.cli.options import values
from simil.errors import NothingGiven, Place, UsageError
from simil.formats.detection import format_of_folder

if TYPE_CHECKING:
    from simil.cli.options.groups import InputFlags, StoredFlags, WordFlags
    from simil.embedders.base import Embedder
    from simil.progress import Progress
    from simil.session.inputs import OpenInput
    from simil.session.session import Session
    from simil.tasks.corpus import Corpus
    from simil.texts import ReadOptions, Text
    from simil.texts.chunks import Chunking, Cut
    from simil.texts.file_patterns import FilePatterns

__all__ = ["Queries", "SearchRequest", "Splitting", "open_queries", "query_and_files", "without_folders"]

log = logging.getLogger("simil")


class Splitting:
    """How files are read and split into the texts to search."""

    def __init__(
        self,
        reading: InputFlags,
        whole: bool,
        chunk: str | None,
        recursive: bool,
        *,
        all_fields: bool,
        patterns: FilePatterns | None = None,
    ) -> None:
        from simil.cli.output.notes import LeftOutFiles
        from simil.texts import InputFormat
        from simil.texts.chunks import chunking_named

        self.reading = reading
        self._patterns = patterns
        self.chunking: Chunking | None = None if chunk in (None, "lines") else chunking_named(chunk or "")
        if self.chunking and whole:
            raise UsageError("--whole and --chunk contradict each other", hint="pass one of them")
        options = reading.options(whole=whole, all_fields=all_fields)
        if recursive and reading.input_format is None:
            # As grep does: a .json in a source tree holds no records for us.
            options = replace(options, format=InputFormat.TEXT, documents=True)
        self.files: ReadOptions = options
        self._broken = LeftOutFiles(options.encoding)

    def sources(self, files: Sequence[str], progress: Progress) -> list[str]:
        """Return the files, and of folders the text files below; reports those that are left out."""
        from simil.cli.output.notes import LeftOutFiles
        from simil.formats.documents import can_read_documents
        from simil.formats.lance_paths import is_lance
        from simil.texts.trees import files_in

        found: list[str] = []
        left_out = LeftOutFiles(self.files.encoding)
        with progress("listing", unit="files") as advance:
            for path in files or ["."]:
                if is_lance(path):
                    hint = "leave out -r" if files == [path] else "search it in a run of its own"
                    raise UsageError("is a Lance dataset, and -r is for texts", place=Place(path), hint=hint)
                if not os.path.isdir(path):  # noqa: PTH112 (as in compare)
                    found.append(path)
                    continue
                for name in files_in(
                    path,
                    encoding=self.files.encoding,
                    text_limit=self.files.text_limit,
                    whole=bool(self.chunking or self.files.whole or self.files.nul),
                    on_left_out=left_out.add,
                    patterns=self._patterns,
                    documents=can_read_documents(),
                ):
                    found.append(name)
                    advance(1)
        left_out.report()
        if not found:
            which = "" if self._patterns is None else " that --glob and --type select"
            raise UsageError(f"there are no text files{which} in {' '.join(files) or 'this folder'}")
        return found

    def without_broken(self, opened: OpenInput) -> OpenInput:
        """Return an input, for -r without broken documents, which `report_broken` counts."""
        return replace(opened, on_broken=self._broken.add_broken) if self.files.documents else opened

    def report_broken(self) -> None:
        """Report the documents that were left out, once all are read."""
        self._broken.report()

    def corpus(self, session: Session, opened: OpenInput) -> Corpus:
        """Return the texts or saved vectors to search, split as the user wants it."""
        from simil.embedders.base import Kind

        if self.chunking is None:
            return session.corpus(opened, Kind.DOCUMENT)
        self.check(opened)
        opened = self._fitted(opened)
        texts = self._applied(session.texts(opened), session.embedder(), several=len(opened.sources) > 1)
        total = opened.count_paragraphs if self.chunking.unit == "paragraphs" else None
        return replace(session.embed(texts, Kind.DOCUMENT, total=total), types=opened.column_types)

    def texts(self, session: Session, opened: OpenInput) -> Iterator[Text]:
        """Yield the texts to search, split as the user wants it, without a model.

        Windows of tokens are counted by the embedded model's tokenizer.
        """
        fitted = opened if self.chunking is None else self._fitted(opened)
        return self._applied(session.texts(fitted), None, several=len(opened.sources) > 1)

    def check(self, opened: OpenInput) -> None:
        """Raise `UsageError` for saved vectors that are to be split."""
        if self.chunking and opened.holds_vectors:
            raise UsageError("saved vectors cannot be split", hint="leave out --chunk")

    def _fitted(self, opened: OpenInput) -> OpenInput:
        """Return an input as it is split: plain text as a whole, tables row by row."""
        from simil.texts import InputFormat

        if opened.reading.nul or InputFormat.TEXT not in opened.formats:
            return opened
        if not opened.is_plain:
            raise UsageError("--chunk splits either plain text or records", hint="search them in two runs")
        # What is ignored is cut out of each part.
        return replace(opened, reading=replace(opened.reading, whole=True, format=None, ignored=()))

    def _applied(self, texts: Iterator[Text], embedder: Embedder | None, *, several: bool) -> Iterator[Text]:
        """Yield `texts` in chunks; see `in_chunks`."""
        from simil.texts.chunks import in_chunks

        if self.chunking is None:
            return texts
        cut = self._cut(embedder)
        return in_chunks(texts, cut, several=several, ignored=self.files.ignored)

    def _cut(self, embedder: Embedder | None) -> Cut:
        from simil.embedders.local.token_spans import token_spans
        from simil.texts.chunks import by_spans, paragraphs

        assert self.chunking is not None
        if self.chunking.unit == "paragraphs":
            return by_spans(paragraphs)
        if self.chunking.unit == "markdown":
            from simil.texts.markdown_sections import is_markdown, sections

            others = by_spans(paragraphs)
            return lambda text: sections(text.text) if is_markdown(text) else others(text)
        if embedder is not None and embedder.folder is None:
            log.warning(
                "the tokenizer of %s is not available here: counting the tokens of minilm", embedder.stamp
            )
        folder = None if embedder is None else embedder.folder
        return by_spans(token_spans(folder, self.chunking.tokens, self.chunking.overlap))


def query_and_files(arguments: Sequence[str], queries: str | None) -> tuple[str | None, list[str]]:
    if queries is not None:
        return None, [*arguments]
    if not arguments:
        raise NothingGiven("there is no query")
    if len(arguments) == 1 and os.path.isfile(arguments[0]):  # noqa: PTH113 (as in compare)
        log.warning("%s is used as the query; the texts to search come from stdin", arguments[0])
    return arguments[0], [*arguments[1:]]


def without_folders(files: Sequence[str]) -> list[str]:
    """Return the files; raises `UsageError` for a folder, unless it is a table that is read as one."""
    for path in files:
        if os.path.isdir(path) and format_of_folder(path) is None:  # noqa: PTH112 (as in compare)
            raise UsageError("is a directory", place=Place(path), hint="-r searches the files in it")
    return [*files]


@dataclass(frozen=True, slots=True)
class Queries:
    """What is searched for: texts, or an input of saved vectors."""

    texts: Sequence[Text]
    vectors: OpenInput | None = None

    @property
    def are_saved(self) -> bool:
        """Whether their vectors were saved, and name the model."""
        return self.vectors is not None

    def groups(self, session: Session) -> Iterator[Corpus]:
        """Return their vectors, those of a dataset in groups.

        Saved ones are opened at once, as they name the model; texts are embedded when they are asked for.
        """
        from simil.embedders.base import Kind

        if self.vectors is not None:
            return session.corpus_groups(self.vectors)
        return (session.embed(texts, Kind.QUERY) for texts in [self.texts])


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is searched for, where, and how.

    Attributes:
        queries: what is searched for.
        opened: what is searched.
        cut: how it is split into texts.
        stored: how datasets are searched.
        words: whether words count.
        top_k: how many results a query has; None for 10, or all that reach the threshold.
        threshold: the least cosine.
    """

    queries: Queries
    opened: OpenInput
    cut: Splitting
    stored: StoredFlags
    words: WordFlags
    top_k: int | None
    threshold: float | None

    def check(self) -> None:
        """Raise `UsageError` where the options do not fit what was opened."""
        self.stored.check(self.opened)
        self.cut.check(self.opened)

    @property
    def field_types(self) -> Mapping[str, Any]:
        """The types of the fields, if they are read of all that is found in datasets."""
        return self.opened.column_types if self.cut.files.all_fields else {}


def open_queries(session: Session, query: str | None, queries: str | None, reading: InputFlags) -> Queries:
    """Return the query, or those of the file `queries`, whose texts are read."""
    from simil.session.inputs import without_fields

    if queries is None:
        given = [] if query is None else [query]
        return Queries([*values.given(given, "query", values.refuse_blank, ignored=reading.ignore)])
    opened = without_fields(session.open([queries], reading.beside(queries)))
    return Queries([], opened) if opened.holds_vectors else Queries([*session.texts(opened)])
