"""Vectors read from a file, and the checks that every format shares."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simil.errors import InputError, ModelMismatch, Place
from simil.formats.passthrough import Frame
from simil.vectors.descriptions import describe
from simil.vectors.embedded_items import EmbeddedItem, FailedRequest
from simil.vectors.embedding_values import ShapeError, numbers_of
from simil.vectors.raw_rows import RawRows
from simil.vectors.vector_batch import VectorBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Collector", "VectorFile", "report_left_out"]

log = logging.getLogger("simil")

_BATCH = 512  # rows kept as Python numbers before they become float32


@dataclass(frozen=True, slots=True, eq=False)
class VectorFile:
    """The contents of a vector file.

    Attributes:
        source: the file's name, or "stdin".
        model: what made the vectors; None if the file does not say.
        ids: one for each vector; its number from 1 if the file gives none.
        texts: what was embedded; None if the file does not say.
        fields: the other fields of each vector.
        vectors: float32 [n, d], finite; a read-only map of the file if possible.
        stored: the numbers of the file [n, d] in its own type; None if they are float32, or digits.
        raw: the records as they were read; None if they were not asked for or cannot be told apart.
    """

    source: str
    model: str | None
    ids: tuple[str, ...]
    texts: tuple[str | None, ...]
    fields: tuple[Mapping[str, object], ...]
    vectors: NDArray[np.float32]
    stored: NDArray[Any] | None = None
    raw: RawRows | None = None

    @property
    def dimensions(self) -> int | None:
        """Length of a vector; None for a file without vectors."""
        return self.vectors.shape[1] or None

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, start: int, stop: int) -> VectorBatch:
        """Return the vectors from `start` up to `stop`, and what belongs to each."""
        rows = slice(start, stop)
        return VectorBatch(
            self.ids[rows], self.texts[rows], self.fields[rows], self.vectors[rows], self.model
        )

    def at(self, rows: Sequence[int]) -> VectorBatch:
        """Return the vectors with these numbers, and what belongs to each."""
        return VectorBatch(
            [self.ids[row] for row in rows],
            [self.texts[row] for row in rows],
            [self.fields[row] for row in rows],
            self.vectors[rows],
            self.model,
        )


class Collector:
    """Gathers a file's vectors in order, and checks that each fits those before it.

    All faults are `InputError` with the source and, if known, the line.

    Attributes:
        source: the file's name.
        keeps_raw: whether the bytes of each are kept, too.
        frame: what stands around them; while it is None, there is no way to write them as they came.
    """

    def __init__(self, source: str, *, keeps_raw: bool = False) -> None:
        self.source = source
        self.keeps_raw = keeps_raw
        self.frame: Frame | None = None
        self._raw = RawRows() if keeps_raw else None
        self._ids: list[str] = []
        self._texts: list[str | None] = []
        self._fields: list[Mapping[str, object]] = []
        self._lines: list[int | None] = []
        self._unnamed: list[int] = []  # the items whose id is their number, as they have none
        self._indices: list[int | None] = []
        self._left_out = 0
        self._failed: list[FailedRequest] = []
        self._models: str | None = None
        self._dimensions = 0
        self._pending: list[list[float]] = []
        self._blocks: list[NDArray[np.float32]] = []

    def fault(
        self, message: str, line: int | None, number: int | None = None, *, hint: str = ""
    ) -> InputError:
        """Return an error about item `number` (from 1), by default the next one to be added."""
        where = Place(self.source, line)
        return InputError(f"item {number or len(self._ids) + 1} {message}", hint=hint, place=where)

    @property
    def count(self) -> int:
        """How many items there were, with and without an embedding."""
        return len(self._ids) + self._left_out

    def add_all(
        self,
        items: Iterable[EmbeddedItem | FailedRequest],
        line: int | None = None,
        *,
        start: int = 0,
        raws: Sequence[bytes] = (),
    ) -> None:
        """Append the items of a file, or of the line where `start` were before them; see `add`.

        `raws` are the bytes of each; where there are more or fewer, they cannot be written as they came.
        """
        count = 0
        try:
            for count, item in enumerate(items, 1):
                if isinstance(item, FailedRequest):
                    self._failed.append(item)
                else:
                    self.add(item, line, start, raws[count - 1] if count <= len(raws) else b"")
        except ShapeError as exc:
            raise self.fault(str(exc), line, hint=exc.hint) from exc
        if count != len(raws):
            self.frame = None

    def add(self, item: EmbeddedItem, line: int | None = None, start: int = 0, raw: bytes = b"") -> None:
        """Append an item, or skip it if it has no embedding since its text failed.

        Its index, if not None, is its position (from 0) among all from number `start` on. `raw` is the bytes
        that it was read from.
        """
        index = item.index
        if index is not None and (type(index) is not int or index < 0):
            raise self.fault(f'has an "index" that is not a count from 0: {index!r}', line)
        number = self.count if index is None else start + index
        if item.embedding is None:
            self._left_out += 1
            return
        try:
            embedding = numbers_of(item.embedding)
            self._check_length(len(embedding), line)
            model = item.model or None
            if model is not None and not isinstance(model, str):
                raise InputError('"model" is not a string', place=Place(self.source, line))
            self._check_model(model, line)
            name, text, fields = describe(item.record, str(number + 1), item.key, indexed=index is not None)
        except ShapeError as exc:
            raise self.fault(str(exc), line, hint=exc.hint) from exc
        if "id" not in item.record:
            self._unnamed.append(len(self._ids))
        self._ids.append(name)
        self._texts.append(text)
        self._fields.append(fields)
        self._lines.append(line)
        self._indices.append(None if index is None else number)
        if self._raw is not None:
            self._raw.append(raw)
        self._pending.append(embedding)
        if len(self._pending) == _BATCH:
            self._flush()

    def finish(self, model: str | None = None, dimensions: object = None) -> VectorFile:
        """Return everything that was added, ordered by index if the items have one.

        `model` and `dimensions` are what the file says about all items.
        """
        import numpy as np

        self._flush()
        self._check_numbers()
        report_left_out(self.source, self._left_out)
        self._report_failed()
        if self._models and model and model != self._models:
            raise ModelMismatch(
                f"the items are of model {self._models!r}, the file as a whole of {model!r}",
                place=Place(self.source),
            )
        if self._blocks and dimensions is not None and dimensions != self._dimensions:
            raise InputError(
                f'"dimensions" is {dimensions}, but the vectors have {self._dimensions}',
                place=Place(self.source),
            )
        vectors = np.concatenate(self._blocks) if self._blocks else np.empty((0, 0), dtype=np.float32)
        self._blocks.clear()
        order = self._order()
        if order != list(range(len(order))):
            vectors = vectors[order]
        if self._raw is not None:
            self._raw.frame = self.frame
            self._raw.reorder(order)
            self._raw.has_index = any(index is not None for index in self._indices)
        return VectorFile(
            source=self.source,
            model=self._models or model,
            ids=tuple(self._ids[place] for place in order),
            texts=tuple(self._texts[place] for place in order),
            fields=tuple(self._fields[place] for place in order),
            vectors=vectors,
            raw=self._raw if self.frame is not None else None,
        )

    def _check_numbers(self) -> None:
        """Raise InputError if an item without an id would have that of another item."""
        if not 0 < len(self._unnamed) < len(self._ids):
            return
        unnamed = {*self._unnamed}
        given = {name for place, name in enumerate(self._ids) if place not in unnamed}
        for place in self._unnamed:
            if self._ids[place] in given:
                hint = "give all of them an id"
                why = f"has no id, and its number is the id of another item: {self._ids[place]!r}"
                raise self.fault(why, self._lines[place], place + 1, hint=hint)

    def _report_failed(self) -> None:
        if not self._failed:
            return
        failed, first = len(self._failed), self._failed[0]
        log.warning(
            "%s: %s and %s no vectors; the first is %r: %r",
            self.source,
            "1 request failed" if failed == 1 else f"{failed} requests failed",
            "has" if failed == 1 else "have",
            first.id,
            first.reason,
        )

    def _check_length(self, length: int, line: int | None) -> None:
        if not length:
            raise self.fault("has an empty embedding", line)
        if self._ids and length != self._dimensions:
            raise self.fault(f"has {length} dimensions, those before have {self._dimensions}", line)
        self._dimensions = length

    def _check_model(self, model: str | None, line: int | None) -> None:
        if self._ids and model != self._models:
            names = [f"model {name!r}" if name else "no known model" for name in (model, self._models)]
            raise ModelMismatch(
                f"item {len(self._ids) + 1} is of {names[0]}, those before are of {names[1]}",
                hint="vectors of two models cannot be compared; embed all with one",
                place=Place(self.source, line),
            )
        self._models = model

    def _flush(self) -> None:
        import numpy as np

        from simil.formats.float32_text import nearest_float32

        if not self._pending:
            return
        block = nearest_float32(np.array(self._pending, dtype=np.float64))
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            at = len(self._ids) - len(self._pending) + int(finite.argmin())
            raise self.fault("has a value that is not a finite float32", self._lines[at], at + 1)
        self._blocks.append(block)
        self._pending.clear()

    def _order(self) -> list[int]:
        """Return for each position the item that belongs there."""
        if all(given is None for given in self._indices):
            return list(range(len(self._indices)))
        order = [-1] * self.count
        for item, given in enumerate(self._indices):
            index = item if given is None else given
            if index >= len(order) or order[index] >= 0:
                why = "that of another item" if index < len(order) else f"beyond the {len(order)} items"
                raise self.fault(f'has "index" {index}, {why}', self._lines[item], item + 1)
            order[index] = item
        return [item for item in order if item >= 0]


def report_left_out(source: str, count: int) -> None:
    """Log how many texts of a file have no vector."""
    if count:
        log.warning("%s: %s without a vector left out", source, "1 text" if count == 1 else f"{count} texts")
