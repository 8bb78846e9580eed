"""Shows models: a table that drops columns until it fits, rows, or the card of one model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit, one_line, visible
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, name_in_json, write_rows
from simil.cli.output.units import dollars, megabytes, millions
from simil.data_stream import stdout

if TYPE_CHECKING:
    from simil.models.catalog import ModelInfo
    from simil.models.model_choice import ModelChoice
    from simil.models.status import ModelStatus

__all__ = ["card_json", "card_text", "show_models"]

_GAP = "  "
# The columns in a pipe.
_PLAIN = (
    "name", "used", "state", "prepared", "where", "dimensions", "max_tokens", "disk_mb", "download_mb",
    "memory_mb", "mteb", "sts", "benchmark", "price", "licence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table; those of higher `rank` are dropped first, those of rank 0 never."""

    title: str
    cells: Sequence[str]
    rank: int = 0
    right: bool = True

    @property
    def width(self) -> int:
        return max(map(len, (self.title, *map(visible, self.cells))))

    def line(self, index: int | None) -> str:
        text = self.title if index is None else visible(self.cells[index])
        return text.rjust(self.width) if self.right else text.ljust(self.width)


def show_models(models: Sequence[ModelStatus], chosen: ModelChoice, form: str, stream: BinaryIO) -> None:
    """Write the models in `form`; the one that is used without `-m` is marked."""
    if form == "table":
        stdout().write(_table(models, chosen))
        stdout().flush()
        return
    rows = (_model_row(model, chosen) for model in models)
    facts = {"used": chosen.name, "why": chosen.why} if form == "json" else {}
    write_rows(rows, form, stream, facts=facts, plain=_PLAIN, columns=_PLAIN)


def _model_row(model: ModelStatus, chosen: ModelChoice) -> Row:
    """Return a row of facts about a model, None for unknown ones."""
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
    notes = _notes(models, chosen)
    return "\n".join([*(line.rstrip() for line in lines), "", *notes]) + "\n"


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
    """Return the size on disk, in brackets the size of the download if the model is not here."""
    if model.size is not None:
        return megabytes(model.size)
    download = millions(model.info.download_mb if model.info else None)
    return f"({download})" if download else ""


def _narrow(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[str]:
    """Return two lines per model."""
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


def _notes(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[str]:
    """Return lines that explain the marks and figures."""
    import textwrap

    benchmarks = sorted({model.info.benchmark for model in models if model.info and model.info.benchmark})
    notes = [
        f"MTEB, STS: averages on {', '.join(benchmarks)}, 0 to 100.",
        "Disk: in brackets what is to be fetched. Memory: weights in float32.",
        "Price: US$ for a million tokens. simil models show NAME names all sources.",
    ]
    mark = "* " if any(model.name == chosen.name for model in models) else ""
    used = f"{mark}{chosen.name or 'no model'} is used without -m: {chosen.why}"
    return [line for text in (used, " ".join(notes)) for line in textwrap.wrap(text, width())]


# The card of one model.


def card_json(status: ModelStatus, chosen: ModelChoice) -> str:
    """Return one JSON object: the facts in the list, and the rest."""
    import orjson

    info = status.info
    card = {
        **_model_row(status, chosen),
        "repository": (info and info.repo) or None,
        "folder": None if status.folder is None else name_in_json(str(status.folder)),
        "revision": status.revision,
        "prepared_mb": round(status.prepared_size / 1e6, 1),
        "pooling": (info and info.pooling) or None,
        "prompts": {kind: text for kind, text in info.prompts.items() if text} if info else {},
        "shortens": info.shortens if info else None,
        "own_code": info.own_code if info else None,
        "extra": (info and info.extra) or None,
        "parameters_m": info and info.parameters,
        "duplicates_at": info and info.duplicates_at,
        "sources": {**info.sources} if info else {},
        "source_names": _shared_sources(info) if info else {},
    }
    return orjson.dumps(card, option=orjson.OPT_INDENT_2).decode() + "\n"


def card_text(status: ModelStatus, chosen: ModelChoice) -> str:
    """Return one line per known fact: its name and its value."""
    known = [(name, value) for name, value in _card_lines(status, chosen) if value]
    room = max(len(name) for name, _ in known)
    return "".join(f"{name:{room}}  {one_line(value)}\n" for name, value in known)


def _card_lines(status: ModelStatus, chosen: ModelChoice) -> Iterator[tuple[str, str]]:
    yield "model", status.name
    if status.name == chosen.name:
        yield "used", f"without -m: {chosen.why}"
    yield "state", f"{status.where}, {status.description}"
    yield "folder", str(status.folder or "")
    yield "revision", status.revision or ""
    yield "on disk", megabytes(status.size)
    yield "prepared", megabytes(status.prepared_size or None)
    if status.info is not None:
        yield from _facts(status.info)


def _facts(info: ModelInfo) -> Iterator[tuple[str, str]]:
    def sourced(value: str, name: str) -> str:
        return f"{value} ({info.sources[name]})" if value and name in info.sources else value

    memory = millions(info.memory_mb)
    cut = ", or fewer (it was trained to be cut)" if info.shortens else ""
    yield "repository", info.repo
    yield "licence", info.licence
    yield "dimensions", f"{info.dimensions}{cut}" if info.dimensions else ""
    yield "max tokens", sourced(str(info.max_tokens or ""), "max_tokens")
    yield "pooling", info.pooling
    for kind, prompt in info.prompts.items():
        yield f"{kind} prompt", repr(prompt) if prompt else ""
    yield "needs", f"pip install 'simil-cli[{info.extra}]'" if info.extra else ""
    yield "cannot run", "it asks for code of its own, which simil never runs" if info.own_code else ""
    yield "parameters", sourced(f"{info.parameters:g} million" if info.parameters else "", "parameters")
    yield "memory", f"{memory} (weights in float32, four bytes a parameter)" if memory else ""
    yield "download", sourced(millions(info.download_mb), "download_mb")
    for title, name in (("MTEB", "mteb"), ("STS", "sts")):
        value = getattr(info, name)
        yield title, "" if value is None else sourced(f"{value:g} on {info.benchmark}", name)
    price = f"US$ {dollars(info.price)} for a million tokens" if info.price is not None else ""
    yield "price", sourced(price, "price")
    alike = "" if info.duplicates_at is None else f"{info.duplicates_at:g}"
    yield "duplicates at", sourced(alike, "duplicates_at")
    yield "card", info.sources.get("card", "")
    yield from _shared_sources(info).items()


def _shared_sources(info: ModelInfo) -> dict[str, str]:
    """Return the sources of this model that other models share: their names and what they stand for."""
    from simil.models.catalog import shared_sources

    said = " ".join(info.sources.values())
    return {name: meaning for name, meaning in shared_sources().items() if name in said}
