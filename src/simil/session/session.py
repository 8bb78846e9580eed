"""One session: its settings, its inputs, the one model for vectors, and the cross-encoder if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

from simil.embedders.base import Kind
from simil.formats.remote_paths import check_online
from simil.progress import Progress, Total, silent
from simil.session.open_model import OpenModel

if TYPE_CHECKING:
    from simil.config import Settings
    from simil.embedders.base import Embedder
    from simil.errors import InputError, Place
    from simil.formats.passthrough import Frame
    from simil.scorers.base import Scorer
    from simil.session.inputs import InputOpener, OpenInput
    from simil.tasks.corpus import Corpus
    from simil.tasks.embedding import EmbedOptions
    from simil.tasks.stored_corpus import CorpusInBlocks, StoredCorpus
    from simil.texts import ReadOptions, Text
    from simil.vectors import VectorFile
    from simil.vectors.stored_vectors import StoredVectors

__all__ = ["Session", "beside_embedder"]


class Session(AbstractContextManager["Session"]):
    """Gives texts and their vectors, all by one model, which is opened when it is first needed.

    The command line, the Python API and whatever else asks stand on this class. It prints nothing: it
    raises errors and calls back.

    Attributes:
        progress: what shows how far long work is.
        scorer_opened: the cross-encoder, None while nothing has needed one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        dimensions: int | None = None,
        normalize: bool = True,
        progress: Progress = silent,
        on_stdin: Callable[[], None] = lambda: None,
        on_blank: Callable[[Place], None] = lambda place: None,
        on_error: Callable[[InputError], None] | None = None,
        on_unknown: Callable[[Place], None] = lambda place: None,
    ) -> None:
        """Open nothing yet.

        `dimensions` keeps the first so many of each vector; without `normalize` the model leaves vectors as
        long as it makes them. `on_stdin` is called before standard input is read, `on_blank` for each
        blank text, `on_error` for each text that cannot be read or embedded; without it the first of
        these is raised; `on_unknown` for each text of which the model knows nothing.
        """
        self.settings = settings
        self.progress = progress
        self.scorer_opened: Scorer | None = None
        self._on_blank = on_blank
        self._on_error = on_error
        self._on_unknown = on_unknown
        self._on_stdin = on_stdin
        self._model = OpenModel(settings, dimensions, normalize=normalize, progress=progress)

    @property
    def stamp(self) -> str | None:
        """The model of the vectors so far; None where there are none, or their file does not say."""
        return self._model.stamp

    @property
    def dimensions(self) -> int | None:
        """How many dimensions of each vector are kept; None for all."""
        return self._model.dimensions

    @property
    def opened(self) -> Embedder | None:
        """The embedder, None while no text has needed one."""
        return self._model.opened

    @property
    def used_saved_only(self) -> bool:
        """Whether all vectors so far came from files."""
        return self._model.was_met and self._model.opened is None

    def embedder(self) -> Embedder:
        """Return the model, opened by the first call; errors as in `OpenModel.embedder`."""
        return self._model.embedder()

    def is_cross_encoder(self) -> bool:
        """Return whether the settings ask for a model that scores pairs; errors as in `kind_of_choice`."""
        from simil.models.files.model_kind import ModelKind
        from simil.models.select import kind_of_choice

        return kind_of_choice(self.settings, self.progress) is ModelKind.CROSS_ENCODER

    def scorer(self, reranker: str | None = None) -> Scorer:
        """Return the cross-encoder that the settings ask for, or `reranker`, opened by the first call.

        Beside a reranker, what the settings say of precision, windows, further cards and engines that run no
        cross-encoder is for the embedding model alone. Errors as in `open_scorer`.
        """
        from simil.scorers.scorer_factory import open_scorer

        if self.scorer_opened is None:
            settings = self.settings if reranker is None else beside_embedder(self.settings, reranker)
            self.scorer_opened = open_scorer(settings, progress=self.progress)
        return self.scorer_opened

    def open(self, files: Sequence[str], reading: ReadOptions, label: str = "embedding") -> OpenInput:
        """Find out what `files` hold, texts or vectors; none is stdin. Errors as in `InputOpener.open`."""
        return self._inputs.open(files, reading, label)

    @cached_property
    def _inputs(self) -> InputOpener:
        # Texts of a command line come from no input.
        from simil.session.inputs import InputOpener

        return InputOpener(self._on_stdin, offline=self.settings.offline)

    def texts(
        self,
        opened: OpenInput,
        *,
        on_left_out: Callable[[], None] = lambda: None,
        on_frame: Callable[[Frame | None], None] = lambda frame: None,
        keeps_failed: bool = False,
    ) -> Iterator[Text]:
        """Yield the texts of an input as they arrive.

        `on_left_out` is called for each blank or failed one, between the texts that it stands between; with
        `keeps_failed` a missing text has its place. `on_frame` is as in `read_texts`.
        """
        on_blank, on_error = self._on_blank, self._on_error

        def blank(place: Place) -> None:
            on_left_out()
            on_blank(place)

        def failed(error: InputError) -> None:
            on_left_out()
            if on_error is not None:
                on_error(error)

        return opened.texts(blank, failed if on_error else None, on_frame, keeps_failed=keeps_failed)

    def corpus(
        self, opened: OpenInput, kind: Kind = Kind.SYMMETRIC, *, texts: Iterable[Text] | None = None
    ) -> Corpus:
        """Return the texts or saved vectors of an input with their vectors, each of length 1.

        `kind` says what the texts are to the model; `texts` are those of the input where the caller changed
        them on their way. Raises `ModelMismatch` where the vectors cannot meet those the session gave before.
        """
        if opened.holds_vectors:
            corpus = self.saved(opened.vector_files())
        else:
            given = self.texts(opened) if texts is None else texts
            corpus = self.embed(given, kind, total=opened.count, label=opened.label)
        return corpus.replaced(types=opened.column_types, sources=len(opened.sources))

    def saved(self, files: Sequence[VectorFile]) -> Corpus:
        """Return the vectors of files, as `corpus` does."""
        from simil.session.loader import admitted_corpus

        return admitted_corpus(files, self._model)

    def stored(self, path: str) -> StoredVectors:
        """Open a dataset of vectors, which stay where they are; raises `ModelMismatch` as `corpus` does."""
        from simil.session.stored_corpora import open_stored

        check_online(path, offline=self.settings.offline)
        return open_stored(path, self._model)

    def sources(self, opened: OpenInput) -> list[Corpus | StoredVectors]:
        """Return what each source of an input of saved vectors holds, as `search_stored` takes it.

        A dataset is opened and stays where it is; any other file is read. Errors as in `corpus`.
        """
        from simil.session.stored_corpora import open_sources

        return open_sources(opened, self._model)

    def corpus_groups(self, opened: OpenInput, kind: Kind = Kind.SYMMETRIC) -> Iterator[Corpus]:
        """Return what `corpus` does in groups: of a dataset, which may be larger than memory, one by one.

        Errors as in `corpus`, those about models before the first group.
        """
        from simil.session.stored_corpora import groups_of

        if not opened.holds_stored:
            return iter([self.corpus(opened, kind)])
        sources = self.sources(opened)
        return (group for source in sources for group in groups_of(source, self._model.dimensions))

    def append_to(self, path: str, options: EmbedOptions) -> None:
        """Take the vectors of texts that a Lance dataset has from there, as those are that are to be added.

        Where no setting names a model, it is that of the dataset. Does nothing where there is no dataset yet.
        Raises `ModelMismatch` where the dataset has vectors that are made otherwise.
        """
        from simil.vectors.embedding_facts import EmbeddingFacts
        from simil.vectors.lance_form import dataset_to_append
        from simil.vectors.stored_texts import StoredTexts

        stored = dataset_to_append(path)
        if stored is None:
            return
        facts = EmbeddingFacts(options.kind, options.normalize, tuple(options.ignored))
        self._model.admit(stored.model, stored.dimensions)
        embedder = self.embedder()
        stored.check_alike(embedder.stamp, facts)
        stored.check_dimensions(options.dimensions or embedder.dimensions or stored.dimensions)
        # Rows hold texts as they are shown, and so tell nothing of what is left when parts are ignored.
        if stored.facts == facts and not options.ignored:
            self._model.reuse(StoredTexts(stored))

    def larger_than_memory(
        self, opened: OpenInput, *, beside: int = 0, copies: int = 0
    ) -> StoredCorpus | None:
        """Return the dataset that an input is, if it takes more memory than there is; else None.

        Work on a row takes so many bytes `beside` it, and so many `copies` of its vector. Raises
        `ModelMismatch` as `corpus` does, and `UsageError` if only some dimensions of the vectors are wanted.
        """
        if opened.formats != {"lance"} or len(opened.sources) != 1 or not opened.holds_vectors:
            return None
        from simil.session.loader import stored_corpus

        corpus = stored_corpus(opened, beside, copies, self._model.dimensions, self.progress)
        if corpus is not None:
            self._model.admit(corpus.stored.model, corpus.dimensions)
        return corpus

    def corpora(self, first: OpenInput, second: OpenInput) -> tuple[Corpus, Corpus]:
        """Return two inputs that are to be compared, each as `corpus` does.

        Saved vectors are read before texts, whichever side they are on: they say which model the texts need.
        """
        from simil.session.inputs import fitted

        opened = fitted(first, second)
        if opened[1].holds_vectors and not opened[0].holds_vectors:
            right, left = self.corpus(opened[1]), self.corpus(opened[0])
        else:
            left, right = self.corpus(opened[0]), self.corpus(opened[1])
        return left, right

    def in_blocks(
        self, first: OpenInput, second: OpenInput, *, beside: int = 0
    ) -> tuple[CorpusInBlocks, CorpusInBlocks] | None:
        """Return two inputs, as `corpora` does, if one of them is larger than memory; else None.

        `beside` is as in `larger_than_memory`.
        """
        from simil.session.inputs import fitted

        opened = fitted(first, second)
        stored = [self.larger_than_memory(one, beside=beside) for one in opened]
        if stored == [None, None]:
            return None
        from simil.tasks.stored_corpus import LoadedCorpus

        left, right = (
            LoadedCorpus(self.corpus(one), self.progress) if large is None else large
            for one, large in zip(opened, stored, strict=True)
        )
        return left, right

    def embed(
        self,
        texts: Iterable[Text],
        kind: Kind = Kind.SYMMETRIC,
        *,
        total: Total = None,
        label: str = "embedding",
    ) -> Corpus:
        """Return `texts` with their vectors, as `corpus` does."""
        from simil.session.loader import embed_corpus

        return embed_corpus(
            texts,
            self._model,
            kind,
            on_error=self._on_error,
            on_unknown=self._on_unknown,
            progress=self.progress,
            total=total,
            label=label,
        )

    def close(self) -> None:
        """Let go of the models."""
        self._model.close()
        if self.scorer_opened is not None:
            self.scorer_opened.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def beside_embedder(settings: Settings, reranker: str) -> Settings:
    """Return the settings for a reranker, which the user names for this run, so that it needs no consent."""
    return settings.replaced(
        model=reranker,
        model_from=None,
        model_unconsented=None,
        precision="auto",
        engine="auto" if settings.engine in ("openvino", "packed") else settings.engine,
        device=settings.device.first(),
        overflow="warn" if settings.overflow == "chunk" else settings.overflow,
    )
