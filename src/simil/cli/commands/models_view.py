"""The list of models: a table that drops columns until it fits, rows for machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, write_rows
from simil.cli.output.units import dollars, megabytes, millions

if TYPE_CHECKING:
    from simil.models.model_choice import ModelChoice
    from simil.models.status import ModelStatus

__all__ = ["model_row", "show_models"]

_GAP = "  "
# What a pipe gets, in this order.
_PLAIN = (
    "name", "used", "state", "prepared", "where", "dimensions", "max_tokens", "disk_mb", "download_mb",
    "memory_mb", "mteb", "sts", "benchmark", "price", "licence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: one with a larger `rank` is left out sooner, one of rank 0 never."""

    title: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = True

    @property
    def width(self) -> int:
        return max(map(len, (self.title, *self.cells)))

    def line(self, index: int | None) -> str:
        text = self.title if index is None else self.cells[index]
        return text.rjust(self.width) if self.right else text.ljust(self.width)


def show_models(models: Sequence[ModelStatus], chosen: ModelChoice, form: str, stream: BinaryIO) -> None:
    """Write the models in `form`, the one that is used without `-m` marked."""
    if form == "table":
        sys.stdout.write(_table(models, chosen))
        sys.stdout.flush()
        return
    rows = (model_row(model, chosen) for model in models)
    facts = {"used": chosen.name, "why": chosen.why} if form == "json" else {}
    write_rows(rows, form, stream, facts=facts, plain=_PLAIN, columns=_PLAIN)


def model_row(model: ModelStatus, chosen: ModelChoice) -> Row:
    """Return what the list says of a model; None is what nobody has told."""
    info = model.info
    return {
        "name": model.name,
        "used": model.name == chosen.name,
        "state": str(model.state),
        "prepared": model.prepared,
        "where": model.where,
        "dimensions": info and info.dimensions,
        "max_tokens": info and info.max_tokens,
        "disk_mb": None if model.size is None else round(model.size / 1e6, 1),
        "download_mb": info and info.download_mb,
        "memory_mb": info and info.memory_mb,
        "mteb": info and info.mteb,
        "sts": info and info.sts,
        "benchmark": (info and info.benchmark) or None,
        "price": info and info.price,
        "licence": (info and info.licence) or None,
    }


def _table(models: Sequence[ModelStatus], chosen: ModelChoice) -> str:
    columns = _columns(models, chosen)
    while _width(columns) > width() and any(column.rank for column in columns):
        columns.remove(max(columns, key=lambda column: column.rank))
    if _width(columns) <= width():
        lines = [_GAP.join(column.line(index) for column in columns) for index in (None, *range(len(models)))]
    else:
        lines = _narrow(models, chosen)
    told = _told(models, chosen)
    return "\n".join([*(line.rstrip() for line in lines), "", *told]) + "\n"


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _columns(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[_Column]:
    infos = [model.info for model in models]

    def each(name: str, form: str = "") -> list[str]:
        values = (getattr(info, name) if info else None for info in infos)
        return ["" if value in (None, "") else format(value, form) for value in values]

    return [
        _Column("model", [_marked(model, chosen) for model in models], right=False),
        _Column("where", [model.where for model in models], 8, right=False),
        _Column("dim", each("dimensions"), 1),
        _Column("tokens", each("max_tokens"), 4),
        _Column("disk", [_disk(model) for model in models], 5),
        _Column("memory", [millions(info.memory_mb if info else None) for info in infos], 6),
        _Column("MTEB", each("mteb", ".1f"), 2),
        _Column("STS", each("sts", ".1f"), 3),
        _Column("price", [dollars(info.price if info else None) for info in infos], 7),
        _Column("licence", each("licence"), 9, right=False),
        _Column("state", [model.description for model in models], right=False),
    ]


def _marked(model: ModelStatus, chosen: ModelChoice) -> str:
    return f"{'*' if model.name == chosen.name else ' '} {model.name}"


def _disk(model: ModelStatus) -> str:
    """What it takes on disk, in brackets what it would take once it was fetched."""
    if model.size is not None:
        return megabytes(model.size)
    download = millions(model.info.download_mb if model.info else None)
    return f"({download})" if download else ""


def _narrow(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[str]:
    """Two lines a model."""
    lines = []
    for model in models:
        info = model.info
        facts = [model.description]
        if info is not None:
            facts += [f"{info.dimensions} dim"] if info.dimensions else []
            facts += [f"MTEB {info.mteb:.1f}"] if info.mteb is not None else []
        mark, name = ("* " if model.name == chosen.name else "  "), model.name
        lines += [mark + fit(name, width() - 2), "    " + fit(", ".join(facts), width() - 4)]
    return lines


def _told(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[str]:
    """What the marks and figures mean."""
    import textwrap

    benchmarks = sorted({model.info.benchmark for model in models if model.info and model.info.benchmark})
    told = [
        f"MTEB, STS: averages on {', '.join(benchmarks)}, 0 to 100.",
        "Disk: in brackets what is to be fetched. Memory: weights in float32.",
        "Price: US$ for a million tokens. simil models show NAME names all sources.",
    ]
    mark = "* " if any(model.name == chosen.name for model in models) else ""
    used = f"{mark}{chosen.name or 'no model'} is used without -m: {chosen.why}"
    return [line for text in (used, " ".join(told)) for line in textwrap.wrap(text, width())]
