"""Shows what a dry run of `simil embed` found."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO

from simil.cli.output.notes import dollars
from simil.cli.output.output_file import is_terminal
from simil.cli.output.rows import json_of

if TYPE_CHECKING:
    from simil.tasks.dry_run import DryRun

__all__ = ["show_dry_run"]


def show_dry_run(found: DryRun, stream: BinaryIO, *, as_json: bool) -> None:
    """Write one line per figure, or one JSON object."""
    if as_json:
        stream.write(json_of(asdict(found)) + b"\n")
    elif is_terminal():
        width = max(len(name) for name, _ in _lines(found)) + 2
        stream.write("".join(f"{name:<{width}}{value}\n" for name, value in _lines(found)).encode())
    else:
        stream.write("".join(f"{name}\t{value}\n" for name, value in _lines(found)).encode())
    stream.flush()


def _lines(found: DryRun) -> list[tuple[str, str]]:
    lines = [
        ("model", found.model),
        ("inputs", f"{found.inputs:,}"),
        ("duplicates", f"{found.duplicates:,}"),
        ("cached", f"{found.cached:,}"),
    ]
    if found.tokens is None:
        return [*lines, ("cost", "nothing, the model runs on this machine")]
    finer = "tiktoken" if found.is_openai else "--tokenizer"
    most, how = ("", "exact") if found.is_exact else ("at most ", f"one a byte; {finer} would count them")
    requests = "about {:,}" if found.is_openai else "at least {:,} (the server's speed decides)"
    batch = [] if found.batch_cost is None else [("with --batch", _cost(found.batch_cost, most))]
    return [
        *lines,
        ("tokens", f"{most}{found.tokens:,} ({how})"),
        ("requests", requests.format(found.requests)),
        ("cost", _cost(found.cost, most)),
        *batch,
    ]


def _cost(amount: float | None, most: str) -> str:
    cost = "unknown" if amount is None else dollars(amount)
    return f"{most}{cost}" if amount and not cost.startswith("under") else cost
