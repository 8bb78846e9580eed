"""How scores are shown: a table for a person, plain lines for a pipe, a form for a machine."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.cells import tsv_cell
from simil.cli.output import is_terminal
from simil.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.similarity import Metric
    from simil.tasks.compare import Comparison, PairScores

__all__ = ["form_of", "show_comparison", "show_pairs"]

_FORMS = ("json", "jsonl", "csv", "tsv")
_SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "plain",
}


def form_of(name: str | None, output: Path | None) -> str:
    """Return the form that `--format` names, or else the one that the place of the output asks for.

    That is "table" on a terminal, "plain" on a pipe, and by the suffix of a file. Raises `UsageError`
    for one that is not known.
    """
    if name is not None and name not in _FORMS:
        raise UsageError(f"--format cannot be {name!r}", hint=f"choose one of {', '.join(_FORMS)}")
    if name:
        return name
    if output is not None:
        suffix = output.suffix.lower()
        if suffix not in _SUFFIXES:
            known = ", ".join(_SUFFIXES)
            raise UsageError(
                f"{output} has no suffix that names a form ({known})", hint="use one, or --format"
            )
        return _SUFFIXES[suffix]
    return "table" if is_terminal() else "plain"


def show_comparison(comparison: Comparison, form: str, stream: BinaryIO) -> None:
    """Write a comparison to `stream` in `form`; a table goes to the terminal."""
    if form == "table":
        from simil.cli.tables import show_matrix, show_two

        (show_two if len(comparison.names) == 2 else show_matrix)(comparison)
        return
    _COMPARISONS[form](comparison, stream)
    stream.flush()


def show_pairs(
    batches: Iterable[PairScores], form: str, stream: BinaryIO, *, model: str, metric: Metric
) -> None:
    """Write a score and the fields of each row as they come; forms as for `show_comparison`."""
    if form == "table":
        from simil.cli.tables import show_pair

        for batch in batches:
            for pair, score in zip(batch.pairs, batch.scores, strict=True):
                show_pair(pair, float(score))
        return
    for chunk in _PAIRS[form](batches, {"metric": str(metric), "model": model}):
        stream.write(chunk)
        stream.flush()


# One comparison: two items or a matrix.


def _comparison_plain(comparison: Comparison, stream: BinaryIO) -> None:
    if len(comparison.names) == 2:
        stream.write(f"{_digits(comparison.score)}\n".encode())
    else:
        _matrix_lines(comparison, stream, "\t")


def _comparison_tsv(comparison: Comparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, "\t")


def _comparison_csv(comparison: Comparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, ",")


def _comparison_table(comparison: Comparison, stream: BinaryIO, separator: str) -> None:
    if len(comparison.names) == 2:
        stream.write(_row(["score", "a", "b"], separator))
        stream.write(_row([_digits(comparison.score), *comparison.names], separator))
    else:
        _matrix_lines(comparison, stream, separator)


def _matrix_lines(comparison: Comparison, stream: BinaryIO, separator: str) -> None:
    stream.write(_row(["", *comparison.names], separator))
    stream.writelines(
        _row([comparison.names[index], *map(_digits, row)], separator) for index, row in comparison.rows()
    )


def _comparison_json(comparison: Comparison, stream: BinaryIO) -> None:
    head: dict[str, Any] = {
        "metric": str(comparison.metric),
        "model": comparison.model,
        "dimensions": comparison.dimensions,
    }
    if len(comparison.names) == 2:
        head["score"] = round(comparison.score, 7)
    named = zip(comparison.ids, comparison.names, strict=True)
    head["items"] = [{"id": id_, "text": name} for id_, name in named]
    stream.write(_json(head)[:-1] + b',"scores":[')
    stream.writelines((b",\n" if index else b"\n") + _json(row) for index, row in comparison.rows())
    stream.write(b"\n]}\n")


def _comparison_jsonl(comparison: Comparison, stream: BinaryIO) -> None:
    facts = {"metric": str(comparison.metric), "model": comparison.model}
    names, ids = comparison.names, comparison.ids
    for index, row in comparison.rows():
        for other in range(index + 1, len(row)):
            pair = {"score": row[other], "a": names[index], "b": names[other]}
            stream.write(_json(pair | {"a_id": ids[index], "b_id": ids[other]} | facts) + b"\n")


_COMPARISONS = {
    "plain": _comparison_plain,
    "tsv": _comparison_tsv,
    "csv": _comparison_csv,
    "json": _comparison_json,
    "jsonl": _comparison_jsonl,
}


# Rows with two texts each.


def _pairs_plain(batches: Iterable[PairScores], facts: Mapping[str, str]) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(_rows(batch, "\t"))


def _pairs_tsv(batches: Iterable[PairScores], facts: Mapping[str, str]) -> Iterator[bytes]:
    return _pairs_table(batches, "\t")


def _pairs_csv(batches: Iterable[PairScores], facts: Mapping[str, str]) -> Iterator[bytes]:
    return _pairs_table(batches, ",")


def _pairs_table(batches: Iterable[PairScores], separator: str) -> Iterator[bytes]:
    first = True
    for batch in batches:
        if first:
            yield _row(["score", *batch.pairs[0].fields], separator)
            first = False
        yield b"".join(_rows(batch, separator))


def _rows(batch: PairScores, separator: str) -> Iterator[bytes]:
    for pair, score in zip(batch.pairs, batch.scores, strict=True):
        yield _row([_digits(score), *map(_cell, pair.fields.values())], separator)


def _pairs_jsonl(batches: Iterable[PairScores], facts: Mapping[str, str]) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(item + b"\n" for item in _pair_items(batch, facts))


def _pairs_json(batches: Iterable[PairScores], facts: Mapping[str, str]) -> Iterator[bytes]:
    yield _json(dict(facts))[:-1] + b',"data":['
    items = chain.from_iterable(_pair_items(batch, {}) for batch in batches)
    for number, item in enumerate(items):
        yield (b",\n" if number else b"\n") + item
    yield b"\n]}\n"


def _pair_items(batch: PairScores, facts: Mapping[str, str]) -> Iterator[bytes]:
    for pair, score in zip(batch.pairs, batch.scores, strict=True):
        yield _json(
            {"id": pair.id, "score": score, "a": pair.left, "b": pair.right, "fields": pair.fields, **facts}
        )


_PAIRS = {
    "plain": _pairs_plain,
    "tsv": _pairs_tsv,
    "csv": _pairs_csv,
    "json": _pairs_json,
    "jsonl": _pairs_jsonl,
}


def _digits(score: float | np.float32) -> str:
    return f"{score:.6f}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value).decode()


def _row(cells: Sequence[str], separator: str) -> bytes:
    if separator == "\t":
        return ("\t".join(map(tsv_cell, cells)) + "\n").encode()
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _json(value: Mapping[str, object] | NDArray[np.float32] | object) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
