"""Shows models: a table that drops columns until it fits, rows, or the card of one model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.cells import fit, one_line, visible
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, has_columns, name_in_json, write_rows
from simil.cli.output.units import dollars, megabytes, millions
from simil.data_stream import stdout

if TYPE_CHECKING:
    from simil.models.catalog import ModelInfo
    from simil.models.model_choice import ModelChoice
    from simil.models.recommendations import Advice, Recommendation
    from simil.models.status import ModelStatus

__all__ = ["card_json", "card_text", "show_advice", "show_models"]

_GAP = "  "
# The columns in a pipe, and those of `--for`.
_PLAIN = (
    "name", "used", "state", "prepared", "where", "dimensions", "max_tokens", "disk_mb", "download_mb",
    "memory_mb", "mteb_v1", "sts_v1", "mteb_v2", "sts_v2", "price", "licence", "kind", "superseded_by",
)  # fmt: skip
_ADVICE = ("name", "state", "score", "why")
# What the scores are called.
_TITLES = {
    "mteb_v1": "MTEB v1",
    "sts_v1": "STS v1",
    "mteb_v2": "MTEB v2",
    "sts_v2": "STS v2",
    "mteb_multilingual": "multilingual",
    "mteb_code": "code",
    "long_embed": "long texts",
    "ndcg": "NDCG@10",
    "mrr": "MRR@10",
}
# What a card says of the kinds; most models are embedders.
_KINDS = {"embedder": "", "reranker": "reranker: it scores pairs of texts, and has no vectors"}
# Narrower terminals get names and reasons on lines of their own.
_WIDE = 60


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
    if not has_columns(form):
        rows = ({**row, **_scores(model.info)} for row, model in zip(rows, models, strict=True))
    write_rows(rows, form, stream, facts=_facts_of_all(chosen) if form == "json" else {}, plain=_PLAIN)


def _facts_of_all(chosen: ModelChoice) -> Row:
    from simil.models.catalog import benchmarks, shared_sources

    names = {"benchmarks": {**benchmarks()}, "source_names": {**shared_sources()}}
    return {"used": chosen.name, "why": chosen.why, **names}


def _scores(info: ModelInfo | None) -> Row:
    """Return the scores of a model and the sources of its figures."""
    from simil.models.catalog import SCORES

    scores = {name: info and getattr(info, name) for name in SCORES}
    return {**scores, "sources": {**info.sources} if info else {}}


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
        "mteb_v1": info and info.mteb_v1,
        "sts_v1": info and info.sts_v1,
        "mteb_v2": info and info.mteb_v2,
        "sts_v2": info and info.sts_v2,
        "price": info and info.price,
        "licence": (info and info.licence) or None,
        "kind": info and info.kind,
        "superseded_by": _successor(info) or None,
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
        _Column("where", [model.where for model in models], 10, right=False),
        _Column("dim", each("dimensions"), 1),
        _Column("tokens", each("max_tokens"), 4),
        _Column("disk", [_disk(model) for model in models], 7),
        _Column("memory", [millions(info.memory_mb if info else None) for info in infos], 8),
        *(
            _Column(_TITLES[name], each(name, ".1f"), rank)
            for name, rank in (("mteb_v1", 3), ("sts_v1", 6), ("mteb_v2", 2), ("sts_v2", 5))
        ),
        _Column("price", [dollars(info.price if info else None) for info in infos], 9),
        _Column("licence", each("licence"), 11, right=False),
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
    """Return two or three lines per model."""
    lines = []
    for model in models:
        info = model.info
        facts = [model.description]
        if info is not None:
            facts += [f"{info.dimensions} dim"] if info.dimensions else []
        mark, name = ("* " if model.name == chosen.name else "  "), model.name
        lines += [mark + fit(name, width() - 2), "    " + fit(", ".join(facts), width() - 4)]
        scores = [f"{title} {value:.1f}" for title, value in _both_versions(info) if value is not None]
        lines += ["    " + fit(", ".join(scores), width() - 4)] if scores else []
    return lines


def _both_versions(info: ModelInfo | None) -> list[tuple[str, float | None]]:
    return [(_TITLES[name], getattr(info, name)) for name in ("mteb_v1", "mteb_v2")] if info else []


def _notes(models: Sequence[ModelStatus], chosen: ModelChoice) -> list[str]:
    """Return lines that explain the marks and figures."""
    mark = "* " if any(model.name == chosen.name for model in models) else ""
    used = f"{mark}{chosen.name or 'no model'} is used without -m: {chosen.why}"
    figures = [
        "MTEB, STS: averages on MTEB(eng, v1) and MTEB(eng, v2), 0 to 100; v1 and v2 cannot be compared.",
        "Disk: in brackets what is to be fetched. Memory: weights in float32.",
        "Price: US$ for a million tokens. simil models show NAME names all sources;",
        "simil models --for quality (speed, multilingual, long, code) says which to choose.",
    ]
    texts = (used, " ".join(figures), *_kinds(models))
    return [line for text in texts for line in textwrap.wrap(text, width(), break_on_hyphens=False)]


def _kinds(models: Sequence[ModelStatus]) -> Iterator[str]:
    """Yield which models are no embedding models, and which to leave for others."""
    infos = [model.info for model in models if model.info is not None]
    rerankers = [info.cli_name for info in infos if info.kind == "reranker"]
    if rerankers:
        yield f"Rerankers, which score pairs of texts and have no vectors: {', '.join(rerankers)}."
    superseded = [f"{info.cli_name} by {_successor(info)}" for info in infos if info.superseded_by]
    if superseded:
        yield f"Superseded: {', '.join(superseded)}."


def _successor(info: ModelInfo | None) -> str:
    """Return the name for `-m` of the model that supersedes this one, "" for none."""
    from simil.models.catalog import catalog

    return catalog()[info.superseded_by].cli_name if info and info.superseded_by else ""


# What `--for` recommends.


def show_advice(advice: Advice, models: Sequence[ModelStatus], form: str, stream: BinaryIO) -> None:
    """Write the models that `advice` recommends, whose states are `models`, in `form`, best first."""
    if form == "table":
        stdout().write(_advice_table(advice))
        stdout().flush()
        return
    rows = [
        {
            "name": found.info.cli_name,
            "state": model.description,
            "score": found.score,
            "why": _why(found),
        }
        for found, model in zip(advice.models, models, strict=True)
    ]
    facts = {"for": advice.purpose, "rule": advice.rule, "benchmark": advice.benchmark}
    write_rows(rows, form, stream, facts=facts if form == "json" else {}, plain=_ADVICE)


def _why(found: Recommendation) -> str:
    return "; ".join(found.reasons)


def _advice_table(advice: Advice) -> str:
    names = [found.info.cli_name for found in advice.models]
    room = max(map(len, names)) + len(_GAP) if width() >= _WIDE else 4
    lines = []
    for name, found in zip(names, advice.models, strict=True):
        why = textwrap.wrap(_why(found), width() - room, break_on_hyphens=False)
        rest = [" " * room + line for line in why]
        lines += [name.ljust(room) + why[0], *rest[1:]] if width() >= _WIDE else [name, *rest]
    rule = (
        f"Ordered by {advice.rule}; a model without that score is not listed. All run on simil's own engines."
    )
    return "\n".join([*lines, "", *textwrap.wrap(rule, width(), break_on_hyphens=False)]) + "\n"


# The card of one model.


def card_json(status: ModelStatus, chosen: ModelChoice) -> str:
    """Return one JSON object: the facts in the list, and the rest."""
    import orjson

    info = status.info
    card = {
        **_model_row(status, chosen),
        **_scores(info),
        "repository": (info and info.repo) or None,
        "folder": None if status.folder is None else name_in_json(str(status.folder)),
        "revision": status.revision,
        "prepared_mb": round(status.prepared_size / 1e6, 1),
        "pooling": (info and info.pooling) or None,
        "prompts": {kind: text for kind, text in info.prompts.items() if text} if info else {},
        "languages": info and info.languages,
        "gated": info.gated if info else None,
        "shortens": info.shortens if info else None,
        "own_code": info.own_code if info else None,
        "extra": (info and info.extra) or None,
        "parameters_m": info and info.parameters,
        "active_parameters_m": info and info.active_parameters,
        "duplicates_at": info and info.duplicates_at,
        "benchmarks": _benchmarks(info) if info else {},
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

    def number(value: float | None, unit: str = "") -> str:
        return "" if value is None else f"{value:g}{unit}"

    memory = millions(info.memory_mb)
    cut = ", or fewer (it was trained to be cut)" if info.shortens else ""
    yield "kind", _KINDS.get(info.kind, info.kind)
    yield "superseded by", sourced(_successor(info), "superseded_by")
    yield "repository", info.repo
    yield "access", f"accept its terms at huggingface.co/{info.repo}, and set HF_TOKEN" if info.gated else ""
    yield "licence", info.licence
    yield "languages", "English" if info.languages == 1 else sourced(number(info.languages), "languages")
    yield "dimensions", f"{info.dimensions}{cut}" if info.dimensions else ""
    yield "max tokens", sourced(str(info.max_tokens or ""), "max_tokens")
    yield "pooling", info.pooling
    for kind, prompt in info.prompts.items():
        yield f"{kind} prompt", sourced(repr(prompt), "prompts") if prompt else ""
    yield "needs", f"pip install 'simil-cli[{info.extra}]'" if info.extra else ""
    yield "cannot run", "it asks for code of its own, which simil never runs" if info.own_code else ""
    yield "parameters", sourced(number(info.parameters, " million"), "parameters")
    yield "active", sourced(number(info.active_parameters, " million parameters"), "active_parameters")
    yield "memory", f"{memory} (weights in float32, four bytes a parameter)" if memory else ""
    yield "download", sourced(millions(info.download_mb), "download_mb")
    for name, benchmark in _benchmarks(info).items():
        yield _TITLES[name], sourced(f"{getattr(info, name):g} on {benchmark}", name)
    price = f"US$ {dollars(info.price)} for a million tokens" if info.price is not None else ""
    yield "price", sourced(price, "price")
    yield "duplicates at", sourced(number(info.duplicates_at), "duplicates_at")
    yield "card", info.sources.get("card", "")
    yield from _shared_sources(info).items()


def _benchmarks(info: ModelInfo) -> dict[str, str]:
    """Return the benchmarks on which this model has scores, by the scores' names."""
    from simil.models.catalog import benchmarks

    return {name: text for name, text in benchmarks().items() if getattr(info, name) is not None}


def _shared_sources(info: ModelInfo) -> dict[str, str]:
    """Return the sources of this model that other models share: their names and what they stand for."""
    from simil.models.catalog import shared_sources

    said = {word.strip(",:;") for source in info.sources.values() for word in source.split()}
    return {name: meaning for name, meaning in shared_sources().items() if name in said}
