"""Shows the scores of rows with two texts each: plain lines, tables and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isnan
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, cell, json_of, table_row, write_rows
from simil.cli.output.score_digits import decimals_on, digits, fewer_digits
from simil.data_stream import stdout
from simil.errors import InputError
from simil.formats.delimited import Escapes
from simil.formats.tables import own_name

if TYPE_CHECKING:
    from simil.tasks.comparison import PairScores
    from simil.tasks.evaluation.scales import Scale
    from simil.texts import Pair

__all__ = ["show_pairs"]


def show_pairs(
    batches: Iterable[PairScores],
    form: str,
    stream: BinaryIO,
    facts: Mapping[str, object],
    scale: Scale | None = None,
    *,
    is_distance: bool = False,
    types: Mapping[str, Any] | None = None,
) -> None:
    """Write a score and the fields of each row as they come; a table goes to the terminal.

    `facts` say what the scores are, for JSON; `types` are those of Arrow that fields have in their source.
    """
    if form == "table":
        for batch in batches:
            for pair, score in zip(batch.pairs, batch.scores, strict=True):
                percent = scale is not None and scale.top > 1
                shown = fewer_digits(score, 2 if percent else 4, is_distance=is_distance)
                _show_pair(pair, "failed" if isnan(score) else shown)
        return
    if form not in _PAIRS:
        write_rows(_pair_rows(batches), form, stream, facts={}, columns=["score"], types=types)
        return
    scaled = {**facts, **({} if scale is None else scale.facts)}
    for chunk in _PAIRS[form](batches, scaled, decimals_on(scale)):
        stream.write(chunk)
        stream.flush()


def _pairs_plain(
    batches: Iterable[PairScores], facts: Mapping[str, object], decimals: int
) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(_rows(batch, "\t", decimals))


def _pairs_tsv(batches: Iterable[PairScores], facts: Mapping[str, object], decimals: int) -> Iterator[bytes]:
    return _pairs_table(batches, "\t", decimals)


def _pairs_csv(batches: Iterable[PairScores], facts: Mapping[str, object], decimals: int) -> Iterator[bytes]:
    return _pairs_table(batches, ",", decimals)


def _pairs_table(batches: Iterable[PairScores], separator: str, decimals: int) -> Iterator[bytes]:
    escapes = Escapes()
    names: Sequence[str] | None = None
    for batch in batches:
        if names is None:
            first = next((pair for pair in batch.pairs if not pair.is_missing), batch.pairs[0])
            names = [*first.fields]
            yield table_row([own_name("score", names), *names], separator, escapes)
        yield b"".join(_rows(batch, separator, decimals, escapes, names))
    escapes.report()


def _rows(
    batch: PairScores,
    separator: str,
    decimals: int,
    escapes: Escapes | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[bytes]:
    """Yield a line per row; with `names`, those of a header, each field stands below its own."""
    for pair, score in zip(batch.pairs, batch.scores, strict=True):
        new = next((name for name in pair.fields if names is not None and name not in names), None)
        if new is not None:
            raise InputError(
                f"the field {new!r} is not in the header, which has been written",
                hint="write jsonl, where each row has its own fields",
                place=pair.origin,
            )
        fields = [pair.fields.get(name) for name in (pair.fields if names is None else names)]
        yield table_row([digits(score, decimals), *map(cell, fields)], separator, escapes)


def _pairs_jsonl(
    batches: Iterable[PairScores], facts: Mapping[str, object], decimals: int
) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(item + b"\n" for item in _pair_items(batch, facts))


def _pairs_json(batches: Iterable[PairScores], facts: Mapping[str, object], decimals: int) -> Iterator[bytes]:
    yield json_of(dict(facts))[:-1] + b',"data":['
    items = chain.from_iterable(_pair_items(batch, {}) for batch in batches)
    for number, item in enumerate(items):
        yield (b",\n" if number else b"\n") + item
    yield b"\n]}\n"


def _pair_items(batch: PairScores, facts: Mapping[str, object]) -> Iterator[bytes]:
    for pair, score in zip(batch.pairs, batch.scores, strict=True):
        left, right = (text or None for text in (pair.left, pair.right))
        yield json_of({"id": pair.id, "score": score, "a": left, "b": right, "fields": pair.fields, **facts})


def _pair_rows(batches: Iterable[PairScores]) -> Iterator[Row]:
    for batch in batches:
        for pair, score in zip(batch.pairs, batch.scores, strict=True):
            yield {"score": score, "fields": pair.fields}


_PAIRS = {
    "plain": _pairs_plain,
    "tsv": _pairs_tsv,
    "csv": _pairs_csv,
    "json": _pairs_json,
    "jsonl": _pairs_jsonl,
}


def _show_pair(pair: Pair, score: str) -> None:
    """Print one row: its score and both texts."""
    shown = f"{score:>7}"  # What a cross-encoder says may be longer.
    room = max((width() - len(shown) - 2 - 3) // 2, 4)
    stdout().write(f"{shown}  {fit(pair.left, room)} │ {fit(pair.right, room).rstrip()}\n")
