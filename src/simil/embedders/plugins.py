"""Loads embedders of other packages, from the entry-point group `simil.embedders`.

A plug-in is a subclass of `simil.embedders.base.Embedder` whose constructor takes no arguments. It runs
behind `PluginEmbedder`: what it raises is a `ModelError`, and what it returns is checked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Embedder, Kind, ReadAhead
from simil.embedders.own_state import own_state
from simil.embedders.pieces import Piece, TextRejected, as_vectors, take_rows
from simil.errors import ModelError, SimilError
from simil.foreign import ForeignCode
from simil.models.entry_points import find_plugins

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PluginEmbedder", "load_plugin"]

log = logging.getLogger("simil")

_LONGEST_STAMP = 200


def load_plugin(name: str) -> Embedder:
    """Return the embedder of the plug-in `name`.

    Raises `ModelNotFound` if there is none, `ModelError` if it cannot be loaded or is not an embedder.
    """
    points = find_plugins(name)
    if len(points) > 1:
        owners = ", ".join(sorted(point.value for point in points))
        raise ModelError(
            f"several packages provide a plug-in {name!r}: {owners}", hint="uninstall all but one"
        )
    what = f"the plug-in {name} ({points[0].value})"
    with ForeignCode(f"{what} is broken"), own_state():
        plugin = points[0].load()()
        if not isinstance(plugin, Embedder):
            raise ModelError(f"{what} is not an Embedder")
        return PluginEmbedder(name, plugin)


class PluginEmbedder(Embedder):
    """A plug-in behind a boundary: it gives vectors, and decides neither how a run ends nor anything else.

    Only `stamp`, `dimensions`, `read_ahead`, `truncated` and the methods that embed or close are its own.
    """

    def __init__(self, name: str, plugin: Embedder) -> None:
        """Take a plug-in; raises `ModelError` for attributes that are none, or whatever a property raises."""
        self._plugin: Any = plugin
        self.stamp = _stamp(getattr(plugin, "stamp", None) or f"plugin:{name}")
        self.dimensions = _dimensions(plugin.dimensions)
        self.read_ahead = _read_ahead(plugin.read_ahead)
        self._starts_batches = type(plugin).start_batch is not Embedder.start_batch
        self._truncated = 0

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed `texts` as symmetric ones; see `Embedder.embed_batch`."""
        return self.embed_batch_as(Kind.SYMMETRIC, texts)

    def embed_batch_as(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed `texts`; see `Embedder.embed_batch_as`."""
        try:
            with self._guarded():
                # A list of its own: it may change that.
                vectors = as_vectors(self._plugin.embed_batch_as(kind, [*texts]), self.stamp)
        except TextRejected as exc:
            raise self._rejection(exc, len(texts)) from exc
        return vectors

    def start_batch(self, kind: Kind, texts: Sequence[str]) -> Iterator[Piece | TextRejected]:
        """Start to embed `texts`; see `Embedder.start_batch`."""
        if not self._starts_batches:
            return super().start_batch(kind, texts)
        with self._guarded():
            pieces = iter(self._plugin.start_batch(kind, [*texts]))
        return self._valid_pieces(pieces, len(texts))

    def close(self) -> None:
        """Close the plug-in; if that fails, the answer that it gave before is still right."""
        try:
            with self._foreign(), own_state():
                self._plugin.close()
        except SimilError as exc:
            log.warning("%s", exc)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """The boundary around what embeds; how many texts were cut meanwhile is counted."""
        with self._foreign(), own_state():
            yield
            cut = int(self._plugin.truncated)
            self.truncated, self._truncated = self.truncated + cut - self._truncated, cut

    def _valid_pieces(
        self, pieces: Iterator[Piece | TextRejected], count: int
    ) -> Iterator[Piece | TextRejected]:
        left = set(range(count))
        while True:
            with self._guarded():
                given = next(pieces, None)
                if given is None:
                    return
                if isinstance(given, Piece):
                    given = _copy(given, self.stamp)
                elif not isinstance(given, TextRejected):
                    raise TypeError(f"start_batch yielded {type(given).__name__}, not Piece or TextRejected")
            if isinstance(given, TextRejected):
                given = self._rejection(given, count)
            take_rows(given, left, self.stamp)
            yield given

    def _rejection(self, exc: TextRejected, count: int) -> TextRejected:
        """Return a rejection of ours that says what the plug-in's says; raises `ModelError` for a bad one."""
        with self._guarded():
            index, message, hint = int(exc.index), str(exc.message), str(exc.hint)
            if not 0 <= index < count:
                raise IndexError(f"it rejected text {index} of {count}")
        return TextRejected(index, message, hint=hint)


def _copy(piece: Piece, stamp: str) -> Piece:
    """Return the piece with arrays of its own, since a plug-in may use its arrays again."""
    import numpy as np

    rows = np.asarray(piece.rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise TypeError(f"the rows of a piece are {rows.dtype} {rows.shape}, not integers")
    marks = np.array(piece.marks, np.uint8)
    if marks.shape != rows.shape:
        raise ValueError(f"{len(rows)} texts have marks of shape {marks.shape}")
    return Piece(rows.astype(np.intp), as_vectors(piece.vectors, stamp), marks)


def _stamp(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError(f"its stamp is of type {type(given).__name__}, not a string")
    if not given.isprintable() or given != given.strip() or len(given) > _LONGEST_STAMP:
        raise ValueError(f"its stamp is not a name: {given[:_LONGEST_STAMP]!r}")
    return str(given)


def _dimensions(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or given != int(given) or given < 1:
        raise ValueError(f"its dimensions are {given!r}")
    return int(given)


def _read_ahead(given: Any) -> ReadAhead:
    ahead = ReadAhead(int(given.texts), int(given.characters))
    if min(ahead.texts, ahead.characters) < 1:
        raise ValueError(f"it reads {ahead} ahead")
    return ahead
