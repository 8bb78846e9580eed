"""Everything known of one model: lines for a person, an object for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simil.cli.commands.models_view import model_row
from simil.cli.output.cells import one_line
from simil.cli.output.units import dollars, megabytes, millions

if TYPE_CHECKING:
    from simil.models.catalog import ModelInfo
    from simil.models.model_choice import ModelChoice
    from simil.models.status import ModelStatus

__all__ = ["card_json", "card_text"]


def card_json(status: ModelStatus, chosen: ModelChoice) -> str:
    """Return one JSON object: what the list says of a model, and the rest."""
    import orjson

    info = status.info
    card = {
        **model_row(status, chosen),
        "repository": (info and info.repo) or None,
        "folder": None if status.folder is None else str(status.folder),
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
        "source_names": _named(info) if info else {},
    }
    return orjson.dumps(card, option=orjson.OPT_INDENT_2).decode() + "\n"


def card_text(status: ModelStatus, chosen: ModelChoice) -> str:
    """Return lines of a name and what is known by it; what nobody has told has no line."""
    told = [(name, value) for name, value in _lines(status, chosen) if value]
    room = max(len(name) for name, _ in told)
    return "".join(f"{name:{room}}  {one_line(value)}\n" for name, value in told)


def _lines(status: ModelStatus, chosen: ModelChoice) -> Iterator[tuple[str, str]]:
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
    yield from _named(info).items()


def _named(info: ModelInfo) -> dict[str, str]:
    """What the names of sources stand for that several models share, those of this one."""
    from simil.models.catalog import shared_sources

    said = " ".join(info.sources.values())
    return {name: meaning for name, meaning in shared_sources().items() if name in said}
