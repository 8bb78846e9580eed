"""What is asked of the cluster before parts are embedded: the files, the model, the columns of the output."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from simil._version import __version__
from simil.config import Settings
from simil.embedders.factory import open_embedder
from simil.errors import ModelError, SimilError
from simil.models.catalog import find_by_stamp
from simil.runners.input_source import InputFile, InputSource
from simil.runners.slices import FileSlice, slice_texts
from simil.runners.survey import FileFacts, survey
from simil.runners.worker_settings import WorkerEnvironment, local_settings
from simil.tasks.embedding import EmbedOptions
from simil.texts import ReadOptions
from simil.vectors.vector_columns import DecidedColumns

__all__ = ["ClusterTasks", "FoundModel"]

log = logging.getLogger("simil")

# So many rows decide the types of fields.
_SAMPLE = 16_384
# Files that one task looks at, and bytes that are enough for one.
_FILES, _BYTES = 64, 1 << 28


@dataclass(frozen=True, slots=True)
class FoundModel:
    """The model of a run: its stamp, its name for `-m` where none is pinned, the length of its vectors."""

    stamp: str
    name: str | None
    dimensions: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a task returns, or the error that ended it, and the warnings before."""

    value: Any
    warnings: Sequence[str]
    version: str
    node: str


class ClusterTasks:
    """Runs functions on the cluster's machines; raises their errors and logs their warnings here."""

    def __init__(self, ray: Any, environment: WorkerEnvironment) -> None:
        """Take Ray and the variables that workers need."""
        self._ray = ray
        self._environment = environment

    def survey(self, files: Sequence[InputFile], options: ReadOptions) -> list[FileFacts]:
        """Return what is known of each file; errors as in `survey`."""
        found = self._run([(_surveyed, group, options) for group in _grouped(files)])
        return [*chain.from_iterable(found)]

    def model(self, settings: Settings, wanted: EmbedOptions) -> FoundModel:
        """Return the model that the settings mean on the cluster, fetched if need be."""
        (found,) = self._run([(_found_model, settings, wanted)])
        assert isinstance(found, FoundModel)
        return found

    def columns(
        self, slices: Sequence[FileSlice], options: ReadOptions, form: str, dimensions: int
    ) -> DecidedColumns:
        """Return the columns of the output: the first rows decide them, as in one process."""
        (found,) = self._run([(_decided, slices, options, form, dimensions)])
        assert isinstance(found, DecidedColumns)
        return found

    def _run(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        task = self._ray.remote(_answered)
        answers = self._ray.get([task.remote(self._environment, *call) for call in calls])
        for line in dict.fromkeys(chain.from_iterable(answer.warnings for answer in answers)):
            log.warning("%s", line)
        for answer in answers:
            if answer.version != __version__:
                raise ModelError(
                    f"simil is {__version__} here and {answer.version} on {answer.node}",
                    hint="install the same version on all machines",
                )
            if isinstance(answer.value, SimilError):
                raise answer.value
        return [answer.value for answer in answers]


def _answered(environment: WorkerEnvironment, function: Callable[..., Any], *arguments: Any) -> _Answer:
    environment.apply()
    with _kept_warnings() as warnings:
        try:
            value = function(*arguments)
        except SimilError as exc:
            value = exc
    return _Answer(value, warnings, __version__, socket.gethostname())


@contextmanager
def _kept_warnings() -> Iterator[list[str]]:
    kept: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: kept.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        yield kept
    finally:
        log.removeHandler(handler)


def _grouped(files: Sequence[InputFile]) -> list[list[InputFile]]:
    groups: list[list[InputFile]] = [[]]
    for file in files:
        if groups[-1] and (len(groups[-1]) == _FILES or sum(one.size for one in groups[-1]) > _BYTES):
            groups.append([])
        groups[-1].append(file)
    return groups


def _surveyed(files: Sequence[InputFile], options: ReadOptions) -> list[FileFacts]:
    return [survey(file, options) for file in files]


def _found_model(settings: Settings, wanted: EmbedOptions) -> FoundModel:
    embedder = open_embedder(
        local_settings(settings), dimensions=wanted.dimensions, normalize=wanted.normalize
    )
    try:
        known = None if settings.model else find_by_stamp(embedder.stamp)
        width = wanted.dimensions or embedder.dimensions
        if width is None:
            width = embedder.embed(["a"], wanted.kind).shape[1]
        return FoundModel(embedder.stamp, None if known is None else known.name, width)
    finally:
        embedder.close()


def _decided(slices: Sequence[FileSlice], options: ReadOptions, form: str, dimensions: int) -> DecidedColumns:
    from simil.formats.arrow_rows import FieldColumns

    texts = chain.from_iterable(
        slice_texts(
            one,
            options,
            several=False,
            on_blank=lambda place: None,
            on_error=lambda error: None,
            keeps_failed=True,
        )
        for one in slices
    )
    rows = [text.fields for text in islice(texts, _SAMPLE)]
    return DecidedColumns(FieldColumns(form, rows, _types(slices, options), ()), dimensions)


def _types(slices: Sequence[FileSlice], options: ReadOptions) -> dict[str, Any]:
    """Return the types of columns in which all files agree, if all have types."""
    from simil.formats.columnar import column_types

    if not all(one.form in ("parquet", "arrow") for one in slices):
        return {}
    files = list(dict.fromkeys(one.file for one in slices))
    types = [column_types(InputSource(file, text_limit=options.text_limit)) for file in files]
    every = [item for found in types for item in found.items()]
    return {name: form for name, form in every if all(others.get(name, form) == form for others in types)}
