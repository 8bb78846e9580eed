"""The Python API: `simil.open` gives a model that does what the commands do, on lists and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeGuard, cast, overload

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    import numpy as np
    from numpy.typing import NDArray

    from simil.config import Settings
    from simil.embedders.base import Kind
    from simil.similarity import Metric
    from simil.tasks.classification import Classification
    from simil.tasks.clustering import Clustering
    from simil.tasks.comparison import Comparison
    from simil.tasks.corpus import Corpus
    from simil.tasks.deduplication import Duplicates
    from simil.tasks.matching import Matches
    from simil.tasks.outlier_detection import Outliers
    from simil.tasks.retrieval import SearchBy, SearchResult
    from simil.texts import Text

    Texts = Sequence[str] | NDArray[np.floating[Any]]
    Dataset = str | PathLike[str]

    class _SearchOptions(TypedDict, total=False):
        """The options of `Model.search`."""

        top_k: int | None
        threshold: float | None
        where: str | None
        exact: bool
        by: str
        language: str | None


_NO_COLUMNS = "where is a condition on the columns of a Lance dataset; texts have none"

__all__ = ["Model", "compare", "embed", "open", "score"]


def open(  # noqa: A001 (as in `simil.open`)
    model: str | None = None,
    *,
    dimensions: int | None = None,
    normalize: bool = True,
    env_file: str | PathLike[str] | None = None,
    **settings: Any,
) -> Model:
    """Return a model, ready to embed; its files are fetched and loaded when they are first needed.

        >>> import simil
        >>> model = simil.open("minilm")
        >>> model.compare("Apple", "Orange")
        0.3725...

    `model` is what `simil -m` takes; None goes by environment, `.env` and config file as the command does.
    `dimensions` keeps the first so many of each vector; `normalize` gives each vector length 1. `settings`
    are `engine`, `device`, `precision`, `threads`, `overflow`, `offline`, `cache`, `base_url`,
    `concurrency`, `retries`, `batch_size`, `timeout`, `tokenizer`, `max_tokens` and `trust_cache`, as the
    options of that name; `env_file` is read in place of `.env`. Raises `UsageError` for a value that a
    setting cannot have.
    """
    from pathlib import Path

    from simil.config import load_settings

    found = load_settings(model=model, env_file=None if env_file is None else Path(env_file), **settings)
    return Model(found, dimensions=dimensions, normalize=normalize)


class Model(AbstractContextManager["Model"]):
    """An open model. Made by `simil.open`; a context manager that lets go of the model at its end.

    Where a method takes `texts` it takes a list of strings, or vectors of this model: an array of floats,
    shape [n, dimensions]. Rows of results are indices into these. All methods raise `InputError` for a
    blank text, one that the model refuses, and a vector without direction, `ModelError` for a model that
    cannot be used, `UsageError` for one that only a `.env` without consent chooses, `ProviderError` for a
    hub or an API that fails.
    """

    def __init__(self, settings: Settings, *, dimensions: int | None = None, normalize: bool = True) -> None:
        """Take the settings; see `open`."""
        from simil.session.session import Session

        self._session = Session(settings, dimensions=dimensions, normalize=normalize)
        self._dimensions = dimensions
        self._normalize = normalize

    @property
    def name(self) -> str:
        """The model's name and, where it has one, its revision; vectors of two names are never compared."""
        session = self._session
        return session.scorer().stamp if session.is_cross_encoder() else session.embedder().stamp

    def embed(self, texts: Sequence[str], *, kind: str = "symmetric") -> NDArray[np.float32]:
        """Return the vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

            >>> import simil
            >>> simil.open("minilm").embed(["Apple", "Orange"]).shape
            (2, 384)

        `kind` is "symmetric", "query" or "document" and decides which prompt of the model is put before
        the texts. Raises `ValueError` for another kind.
        """
        from simil.embedders.base import Kind, TextRejected
        from simil.errors import InputError
        from simil.session.in_memory import texts_in_memory

        wanted = Kind(kind)
        given = [text.text for text in texts_in_memory(texts)]
        try:
            return self._session.embedder().embed(
                given, wanted, dimensions=self._dimensions, normalize=self._normalize
            )
        except TextRejected as exc:
            raise InputError(f"text {exc.index}: {exc.message}", hint=exc.hint) from exc

    @overload
    def compare(self, left: str, right: str, *, metric: str | None = None) -> float: ...
    @overload
    def compare(self, left: Texts, right: None = None, *, metric: str | None = None) -> Comparison: ...
    def compare(
        self, left: str | Texts, right: str | None = None, *, metric: str | None = None
    ) -> float | Comparison:
        """Return how alike two texts are, or a comparison of each of several with each.

        `metric` is "cosine" (1 is alike), "dot", "euclidean" or "manhattan" (0 is alike); without one it is
        what the model's files say, or else cosine. Raises `ValueError` for another one, `UsageError` for
        fewer than two texts.
        """
        from simil import similarity

        wanted = None if metric is None else similarity.Metric(metric)
        if not isinstance(left, str):
            return self._compared(left, wanted)
        if right is None:
            raise TypeError("a text is compared with another: pass two, or a list")
        return self._compared([left, right], wanted).first_score

    @overload
    def search(  # type: ignore[overload-overlap] # (a string is a sequence of strings to a type checker)
        self, queries: str, texts: Texts | Dataset, **options: Unpack[_SearchOptions]
    ) -> SearchResult: ...
    @overload
    def search(
        self, queries: Texts, texts: Texts | Dataset, **options: Unpack[_SearchOptions]
    ) -> list[SearchResult]: ...
    def search(
        self,
        queries: str | Texts,
        texts: Texts | Dataset,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        where: str | None = None,
        exact: bool = False,
        by: str = "meaning",
        language: str | None = None,
    ) -> SearchResult | list[SearchResult]:
        """Return the `texts` nearest to a query, or a list with those of each of several queries.

            >>> import simil
            >>> result = simil.open("minilm").search("fruit", ["a red car", "an apple", "the sea"], top_k=1)
            >>> result.rows.tolist()
            [1]

        At most `top_k` of them, best first (10 without a threshold, with one as many as reach it).

        `texts` can be a Lance dataset that this model has embedded: its path, or a string that ends in
        `.lance`. It is searched where it is, by its index where it has one, unless `exact`; `where` is a
        condition in SQL on its columns. `lance.dataset(path).take(result.rows)` then gives what was found.

        With `by="words"` texts are found by their words (BM25), with `by="hybrid"` by words and meaning
        together; `language` is that of a stemmer, or "none". Both take texts, no arrays and no threshold.

        Raises `InputError` where there is nothing to search in, `ModelMismatch` for vectors of two lengths
        or models, `UsageError` for what is no condition and no language, `ValueError` for options that have
        no effect together.
        """
        from simil.embedders.base import Kind
        from simil.errors import InputError
        from simil.tasks.retrieval import SearchBy, search

        wanted = SearchBy(by)
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k is {top_k}, but at least 1 text is found")
        if language is not None and wanted is SearchBy.MEANING:
            raise ValueError('language is for words; pass by="words" or by="hybrid"')
        if exact and wanted is SearchBy.WORDS:
            raise ValueError("exact is for vectors, and words have none")
        if wanted is not SearchBy.MEANING:
            if threshold is not None:
                raise ValueError("a threshold is for cosines; limit results by top_k")
            results = self._searched_with_words(queries, texts, wanted, language, top_k, where, exact=exact)
        elif _is_dataset(texts):
            results = self._searched_dataset(queries, fspath(texts), top_k, threshold, where, exact=exact)
        elif where is not None:
            raise ValueError(_NO_COLUMNS)
        else:
            corpus = self._corpus(cast("Texts", texts), Kind.DOCUMENT)
            if not len(corpus):
                raise InputError("there is nothing to search in")
            results = search(self._queries(queries), corpus, top_k=top_k, threshold=threshold)
        return results[0] if isinstance(queries, str) else results

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Return what a cross-encoder says of each pair of texts, float32, shape (len(pairs),), in order.

        Higher fits better; a query comes first in its pair, then the document. The scores are no cosine
        similarities, and those of two models cannot be compared. Raises `ModelError` for a model that embeds
        texts, `TypeError` for what is no pair of strings, and `InputError` for a blank text.
        """
        from simil.embedders.pieces import TextRejected
        from simil.errors import InputError
        from simil.session.in_memory import pairs_in_memory

        given = pairs_in_memory(pairs)
        try:
            return self._session.scorer().score(given)
        except TextRejected as exc:
            raise InputError(f"pair {exc.index}: {exc.message}", hint=exc.hint) from exc

    def classify(
        self,
        texts: Texts,
        labels: Sequence[str] | Mapping[str, str],
        *,
        examples: Texts | None = None,
        method: str | None = None,
        k: int | None = None,
        threshold: float | None = None,
    ) -> Classification:
        """Return how well each label suits each text.

            >>> import simil
            >>> model = simil.open("minilm")
            >>> found = model.classify(["the app crashes"], ["bug report", "feature request"])
            >>> [best.label for best in found.best()]
            ['bug report']

        Without `examples`, `labels` are the labels, or map each to its description. With them, `labels` has
        the label of each example; `method` is "centroid", "knn" or "logistic", None for the one that does
        best on the examples themselves; `k` is how many neighbours count. A text whose best label does
        not reach `threshold` is "unknown". Raises `ValueError` for another method, or a number of labels
        that is not that of the examples; `InputError` where the examples are too few.
        """
        from simil.tasks.classification import classify_by_descriptions, classify_by_examples
        from simil.tasks.classifiers import NEIGHBOURS, ClassificationMethod

        corpus = self._corpus(texts)
        if examples is None:
            described = labels if isinstance(labels, Mapping) else {label: label for label in labels}
            descriptions = self._corpus([*described.values()])
            return classify_by_descriptions(corpus, descriptions, [*described], threshold=threshold)
        if len(labels) != len(examples):
            raise ValueError(f"there are {len(examples)} examples and {len(labels)} labels")
        return classify_by_examples(
            corpus,
            self._corpus(examples),
            [*labels],
            method=None if method is None else ClassificationMethod(method),
            k=k or NEIGHBOURS,
            threshold=threshold,
        )

    def cluster(
        self,
        texts: Texts,
        *,
        clusters: int | None = None,
        threshold: float | None = None,
        min_size: int | None = None,
    ) -> Clustering:
        """Return the clusters of `texts`; there may be none.

        With `clusters` there are so many (k-means); with `threshold` a cluster is a text with all that have
        this cosine similarity to it; with neither HDBSCAN finds how many there are. The last two leave out
        texts, and every cluster has at least `min_size`. Raises `UsageError` for numbers that contradict
        each other, and for fewer texts than clusters.
        """
        from simil.tasks.clustering import check_asked, cluster

        check_asked(clusters, threshold, min_size)
        return cluster(self._corpus(texts), clusters=clusters, threshold=threshold, min_size=min_size)

    def outliers(
        self, texts: Texts, *, reference: Texts | None = None, method: str = "knn", k: int = 10
    ) -> Outliers:
        """Return how unlike the others each text is, and its nearest other.

        With a `reference` texts are scored among those. `method` is "knn", "lof" or "isolation-forest", `k`
        how many of the nearest count. Raises `ValueError` for another method, `InputError` for too few
        texts.
        """
        from simil.tasks.outlier_detection import OutlierMethod, outliers

        normal = None if reference is None else self._corpus(reference)
        return outliers(self._corpus(texts), normal, method=OutlierMethod(method), k=k)

    def dedupe(
        self, texts: Texts, *, threshold: float | None = None, against: Texts | None = None
    ) -> Duplicates:
        """Return which texts repeat an earlier one, or one of `against`: their cosine reaches `threshold`.

            >>> import simil
            >>> found = simil.open("minilm").dedupe(["The cat sat.", "The sea is calm.", "The cat sat!"])
            >>> found.kept.tolist()
            [True, True, False]

        Without a `threshold` it is the model's own, or 0.9 where none is known.
        """
        from simil.tasks.deduplication import UNKNOWN_THRESHOLD, default_threshold, near_duplicates

        known = default_threshold(self.name)
        limit = threshold if threshold is not None else known[0] if known else UNKNOWN_THRESHOLD
        others = None if against is None else self._corpus(against)
        return near_duplicates(self._corpus(texts), limit, others)

    def match(
        self,
        left: Texts,
        right: Texts,
        *,
        k: int = 1,
        threshold: float | None = None,
        one_to_one: bool = False,
    ) -> Matches:
        """Return for each text of `left` its `k` best of `right` that score at least `threshold`.

        With `one_to_one` each text is in one pair at most, and the sum of the scores is the largest.
        """
        from simil.tasks.matching import match, match_one_to_one

        ours, theirs = self._corpus(left), self._corpus(right)
        if one_to_one:
            return match_one_to_one(ours, theirs, threshold=threshold)
        return match(ours, theirs, k=k, threshold=threshold)

    def close(self) -> None:
        """Let go of the model; it is not used afterwards."""
        self._session.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compared(self, texts: Texts, metric: Metric | None) -> Comparison:
        import numpy as np

        from simil.session.in_memory import texts_in_memory, vectors_in_memory
        from simil.tasks.comparison import Item, compare
        from simil.tasks.embedding import EmbedOptions

        if isinstance(texts, np.ndarray):
            file = vectors_in_memory(texts, self.name)
            items = [
                Item(id_, None, vector[: self._dimensions], file.model, id_)
                for id_, vector in zip(file.ids, file.vectors, strict=True)
            ]
        else:
            items = [Item(text.text, text) for text in texts_in_memory(texts)]
        options = EmbedOptions(dimensions=self._dimensions, normalize=self._normalize)
        return compare(items, metric, options, self._session.embedder)

    def _queries(self, queries: str | Texts) -> Corpus:
        from simil.embedders.base import Kind

        return self._corpus([queries] if isinstance(queries, str) else queries, Kind.QUERY)

    def _searched_dataset(
        self,
        queries: str | Texts,
        path: str,
        top_k: int | None,
        threshold: float | None,
        where: str | None,
        *,
        exact: bool,
    ) -> list[SearchResult]:
        from simil.errors import InputError
        from simil.tasks.stored_retrieval import search_dataset

        stored = self._session.stored(path)
        if where is not None:
            stored.check_where(where)
        asked = self._queries(queries)
        results = search_dataset(asked, stored, top_k=top_k, threshold=threshold, where=where, exact=exact)
        if len(asked) and not results:
            why = "" if where is None else f"no row meets {where!r}, so "
            raise InputError(f"{why}there is nothing to search in", place=stored.place)
        return results

    def _searched_with_words(
        self,
        queries: str | Texts,
        texts: Texts | Dataset,
        by: SearchBy,
        language: str | None,
        top_k: int | None,
        where: str | None,
        *,
        exact: bool,
    ) -> list[SearchResult]:
        from simil.embedders.base import Kind
        from simil.index.stored_words import StoredWords
        from simil.session.in_memory import texts_in_memory
        from simil.tasks.retrieval import SearchBy
        from simil.tasks.stored_word_retrieval import search_stored_hybrid, search_stored_words, with_numbers

        asked = texts_in_memory([queries] if isinstance(queries, str) else _strings(queries), "queries")
        if not _is_dataset(texts):
            if where is not None:
                raise ValueError(_NO_COLUMNS)
            return self._texts_with_words(asked, _strings(texts), by, language, top_k)
        stored = self._session.stored(fspath(texts))
        words = StoredWords(stored, language, where=where)
        if by is SearchBy.WORDS:
            found = search_stored_words(asked, stored, words, top_k=top_k)
        else:
            group = self._session.embed(asked, Kind.QUERY)
            found = search_stored_hybrid(group, stored, words, top_k=top_k, where=where, exact=exact)
        return with_numbers(found, stored)

    def _texts_with_words(
        self,
        queries: Sequence[Text],
        texts: Sequence[str],
        by: SearchBy,
        language: str | None,
        top_k: int | None,
    ) -> list[SearchResult]:
        from simil.embedders.base import Kind
        from simil.errors import InputError
        from simil.index.word_tokens import DEFAULT_LANGUAGE
        from simil.session.in_memory import texts_in_memory
        from simil.tasks.retrieval import SearchBy
        from simil.tasks.word_retrieval import index_words, search_hybrid, search_words

        given = texts_in_memory(texts)
        if not given:
            raise InputError("there is nothing to search in")
        words = index_words(given, language or DEFAULT_LANGUAGE)
        if by is SearchBy.WORDS:
            return search_words(queries, words, top_k=top_k)
        session = self._session
        corpus = session.embed(given, Kind.DOCUMENT, total=len(given))
        return search_hybrid(session.embed(queries, Kind.QUERY), corpus, words, top_k=top_k)

    def _corpus(self, texts: Texts, kind: Kind | None = None) -> Corpus:
        """Return texts or vectors as the tasks take them, with vectors of length 1."""
        import numpy as np

        from simil.embedders.base import Kind
        from simil.session.in_memory import texts_in_memory, vectors_in_memory
        from simil.session.loader import saved_corpus

        if isinstance(texts, np.ndarray):
            return saved_corpus([vectors_in_memory(texts, self.name)], self._dimensions)
        return self._session.embed(texts_in_memory(texts), kind or Kind.SYMMETRIC, total=len(texts))


def _is_dataset(texts: object) -> TypeGuard[Dataset]:
    """Return whether texts to search are the path or address of a Lance dataset."""
    from simil.formats.lance_paths import has_lance_suffix

    return isinstance(texts, PathLike) or (isinstance(texts, str) and has_lance_suffix(texts))


def _strings(texts: Texts | Dataset) -> Sequence[str]:
    """Return texts that words are looked for in; raises `TypeError` for vectors."""
    import numpy as np

    if isinstance(texts, np.ndarray | PathLike):
        raise TypeError("a search by words takes texts, not vectors")
    return texts


def compare(left: str, right: str, *, model: str | None = None, metric: str | None = None) -> float:
    """Return how alike two texts are; see `Model.compare` and `open`.

    The model stays open for later calls.
    """
    from simil.config import load_settings

    return _shared(load_settings(model=model), None, True).compare(left, right, metric=metric)


def embed(
    texts: Sequence[str],
    *,
    model: str | None = None,
    kind: str = "symmetric",
    dimensions: int | None = None,
    normalize: bool = True,
) -> NDArray[np.float32]:
    """Return the vectors of `texts`, float32, shape (len(texts), dimensions), in their order.

    See `Model.embed` and `open`. The model stays open for later calls.
    """
    from simil.config import load_settings

    return _shared(load_settings(model=model), dimensions, normalize).embed(texts, kind=kind)


def score(pairs: Sequence[tuple[str, str]], *, model: str) -> NDArray[np.float32]:
    """Return what the cross-encoder `model` says of each pair of texts; see `Model.score` and `open`.

    The model stays open for later calls.
    """
    from simil.config import load_settings

    return _shared(load_settings(model=model), None, True).score(pairs)


@lru_cache(maxsize=2)
def _shared(settings: Settings, dimensions: int | None, normalize: bool) -> Model:
    return Model(settings, dimensions=dimensions, normalize=normalize)
