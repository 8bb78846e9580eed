"""Shows scores: plain lines, tables, JSON, bars and heat-coloured matrices, or a heat map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isnan
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.cells import fit, one_line
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, cell, digits, fewer_digits, json_of, table_row, write_rows
from simil.cli.output.terminal import bar, console, escaped, heat, sign
from simil.data_stream import stdout
from simil.errors import InputError
from simil.formats.delimited import Escapes
from simil.formats.tables import own_name

if TYPE_CHECKING:
    from rich.console import Console

    from simil.tasks.comparison import Comparison, PairScores
    from simil.tasks.evaluation.scales import Scale
    from simil.tasks.pair_scoring import CrossComparison
    from simil.texts import Pair

    AnyComparison = Comparison | CrossComparison

__all__ = ["draw_comparison", "show_comparison", "show_pairs"]

# Columns of a number in a matrix on the terminal.
_CELL = 7


def show_comparison(comparison: AnyComparison, form: str, stream: BinaryIO) -> None:
    """Write a comparison to `stream` in `form`; a table goes to the terminal."""
    if form == "table":
        (_show_two if len(comparison.names) == 2 else _show_matrix)(comparison)
        return
    if form in _COMPARISONS:
        _COMPARISONS[form](comparison, stream)
    else:
        write_rows(
            _score_rows(comparison), form, stream, facts={}, columns=["score", "a", "b", "a_id", "b_id"]
        )
    stream.flush()


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
    """Write a score and the fields of each row as they come; forms as for `show_comparison`.

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
    for chunk in _PAIRS[form](batches, scaled, _decimals(scale)):
        stream.write(chunk)
        stream.flush()


def draw_comparison(path: str, comparison: AnyComparison) -> None:
    """Draw the scores of all items with each other as a heat map."""
    from simil.cli.plots.charts import heat_map
    from simil.cli.plots.drawing import draw

    rows = (row for _, row in comparison.rows())
    metric = comparison.scale.name if comparison.scale else str(comparison.metric)
    draw(path, heat_map(comparison.names, rows, title="Comparison", model=comparison.model, metric=metric))


def _decimals(scale: Scale | None) -> int:
    return 6 if scale is None else scale.decimals


# One comparison: two items or a matrix.


def _score(comparison: AnyComparison) -> str:
    return digits(comparison.score, _decimals(comparison.scale))


def _comparison_plain(comparison: AnyComparison, stream: BinaryIO) -> None:
    if len(comparison.names) == 2:
        stream.write(f"{_score(comparison)}\n".encode())
    else:
        _matrix_lines(comparison, stream, "\t")


def _comparison_tsv(comparison: AnyComparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, "\t")


def _comparison_csv(comparison: AnyComparison, stream: BinaryIO) -> None:
    _comparison_table(comparison, stream, ",")


def _comparison_table(comparison: AnyComparison, stream: BinaryIO, separator: str) -> None:
    escapes = Escapes()
    if len(comparison.names) == 2:
        stream.write(table_row(["score", "a", "b"], separator))
        stream.write(table_row([_score(comparison), *comparison.names], separator, escapes))
    else:
        _matrix_lines(comparison, stream, separator, escapes)
    escapes.report()


def _matrix_lines(
    comparison: AnyComparison, stream: BinaryIO, separator: str, escapes: Escapes | None = None
) -> None:
    stream.write(table_row(["", *comparison.names], separator, escapes))
    decimals = _decimals(comparison.scale)
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


# Rows with two texts each.


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


# On a terminal.


def _show_two(comparison: AnyComparison) -> None:
    """Print both texts, their score, and a bar that is full at the top of the scale."""
    terminal = console()
    for name in comparison.names:
        terminal.print(fit(one_line(name), width()).rstrip(), markup=False, highlight=False)
    score, top = comparison.score, comparison.scale.top if comparison.scale else 1.0
    room = max(min(width() - 10, 40), 5)
    if not comparison.has_top:
        shown = "failed" if isnan(score) else fewer_digits(score, is_distance=comparison.is_distance)
        what = "distance" if comparison.is_distance else "score"
        terminal.print(f"{shown}  {comparison.metric} {what}", style="bold", highlight=False)
    else:
        shown = fewer_digits(score, 4 if top == 1 else 2)
        terminal.print(f"[bold]{shown}[/bold]  {bar(terminal, score / top, room)}", highlight=False)
    _sign_comparison(terminal, comparison)


def _show_pair(pair: Pair, score: str) -> None:
    """Print one row: its score and both texts."""
    shown = f"{score:>7}"  # What a cross-encoder says may be longer.
    room = max((width() - len(shown) - 2 - 3) // 2, 4)
    stdout().write(f"{shown}  {fit(pair.left, room)} │ {fit(pair.right, room).rstrip()}\n")


def _show_matrix(comparison: AnyComparison) -> None:
    """Print the matrix in blocks of columns that fit the terminal."""
    import numpy as np

    terminal = console()
    count = len(comparison.names)
    digits = len(str(count))
    label = min(
        max(width() // 3, 10), max(len(one_line(name[:80])) for name in comparison.names) + digits + 1
    )
    columns = max((width() - label) // _CELL, 1)
    for start in range(0, count, columns):
        stop = min(start + columns, count)
        if start:
            terminal.print()
        terminal.print(
            " " * label + "".join(f"{number:>{_CELL}}" for number in range(start + 1, stop + 1)),
            style="dim",
            highlight=False,
        )
        for index, row in comparison.rows():
            numbered = f"{index + 1:>{digits}} {one_line(comparison.names[index])}"
            cells = "".join(_heated(float(score), comparison) for score in np.asarray(row[start:stop]))
            terminal.print(escaped(fit(numbered, label)) + cells, highlight=False)
    _sign_comparison(terminal, comparison)


def _sign_comparison(terminal: Console, comparison: AnyComparison) -> None:
    scale = comparison.scale
    what = str(comparison.metric) if scale is None else f"{scale.name} {scale.source},"
    sign(terminal, what, comparison.model)


def _heated(score: float, comparison: AnyComparison) -> str:
    top = comparison.scale.top if comparison.scale else 1.0
    far = comparison.is_distance
    forms = [fewer_digits(score, many, is_distance=far) for many in ((3, 1, 0) if top == 1 else (1,))]
    # Better fewer digits than a shifted column.
    text = next((form for form in forms if len(form) < _CELL), f"{score:.0e}").rjust(_CELL)
    return f"[{heat(score / top)}]{text}[/]" if comparison.has_top else text
