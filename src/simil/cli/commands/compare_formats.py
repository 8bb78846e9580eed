"""Writes comparisons of items for other programs: matrices, tables, JSON, and rows of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.rows import Row, json_of, table_row, write_rows
from simil.cli.output.score_digits import decimals_on, digits
from simil.formats.delimited import Escapes

if TYPE_CHECKING:
    from simil.tasks.comparison import Comparison
    from simil.tasks.pair_scoring import CrossComparison

    AnyComparison = Comparison | CrossComparison

__all__ = ["write_comparison"]


def write_comparison(comparison: AnyComparison, form: str, stream: BinaryIO) -> None:
    """Write a comparison to `stream` in `form`."""
    if form in _COMPARISONS:
        _COMPARISONS[form](comparison, stream)
    else:
        write_rows(
            _score_rows(comparison), form, stream, facts={}, columns=["score", "a", "b", "a_id", "b_id"]
        )


def _comparison_plain(comparison: AnyComparison, stream: BinaryIO) -> None:
    _matrix_lines(comparison, stream, "\t")


def _comparison_tsv(comparison: AnyComparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, "\t")


def _comparison_csv(comparison: AnyComparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, ",")


def _comparison_table(comparison: AnyComparison, stream: BinaryIO, separator: str) -> None:
    escapes = Escapes()
    if len(comparison.names) == 2:
        stream.write(table_row(["score", "a", "b"], separator))
        stream.write(
            table_row(
                [digits(comparison.score, decimals_on(comparison.scale)), *comparison.names],
                separator,
                escapes,
            )
        )
    else:
        _matrix_lines(comparison, stream, separator, escapes)
    escapes.report()


def _matrix_lines(
    comparison: AnyComparison, stream: BinaryIO, separator: str, escapes: Escapes | None = None
) -> None:
    stream.write(table_row(["", *comparison.names], separator, escapes))
    decimals = decimals_on(comparison.scale)
    for index, row in comparison.rows():
        cells = [digits(score, decimals) for score in row]
        stream.write(table_row([comparison.names[index], *cells], separator, escapes))


def _comparison_json(comparison: AnyComparison, stream: BinaryIO) -> None:
    import numpy as np

    head = dict(comparison.facts)
    if len(comparison.names) == 2:
        # As in the matrix, with the shortest digits of a float32.
        head["score"] = np.float32(comparison.score)
    named = zip(comparison.ids, comparison.names, strict=True)
    head["items"] = [{"id": id_, "text": name} for id_, name in named]
    if not comparison.has_matrix:
        stream.write(json_of(head) + b"\n")
        return
    stream.write(json_of(head)[:-1] + b',"scores":[')
    stream.writelines((b",\n" if index else b"\n") + json_of(row) for index, row in comparison.rows())
    stream.write(b"\n]}\n")


def _comparison_jsonl(comparison: AnyComparison, stream: BinaryIO) -> None:
    facts = {name: value for name, value in comparison.facts.items() if name != "dimensions"}
    stream.writelines(json_of({**row, **facts}) + b"\n" for row in _score_rows(comparison))


def _score_rows(comparison: AnyComparison) -> Iterator[Row]:
    """Yield a row for each two items."""
    names, ids = comparison.names, comparison.ids
    for index, other, score in comparison.pairs():
        pair = {"score": score, "a": names[index], "b": names[other]}
        yield pair | {"a_id": ids[index], "b_id": ids[other]}


# Other formats have a row for each two items, and a column for each field of pairs.
_COMPARISONS = {
    "plain": _comparison_plain,
    "tsv": _comparison_tsv,
    "csv": _comparison_csv,
    "json": _comparison_json,
    "jsonl": _comparison_jsonl,
}
