"""`simil cache`: the vectors that were computed before."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.fast_typer import Command, Group
from simil.cli.options.run import start_run
from simil.errors import UsageError

if TYPE_CHECKING:
    from simil.embedders.cache.maintenance import CacheInfo, Space, Verified

__all__ = ["cache"]

cache = typer.Typer(
    name="cache",
    cls=Group,
    help="The vectors that were computed before: look at them, check them, make room.",
    no_args_is_help=True,
)

_DAY_S = 86_400
_AGES = {"h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

Json = Annotated[
    str, typer.Option("-f", "--format", metavar="text|json", help="For a person, or for machines.")
]


@cache.command(cls=Command)
def info(form: Json = "text") -> None:
    """Show where the cache is, how large, and what is in it."""
    from simil.embedders.cache.maintenance import info as look

    values.check_choice("--format", form, ("text", "json"))
    with start_run(quiet=False, verbose=False) as run:
        found = look(run.settings.cache_dir, run.settings.cache_mb * 10**6)
        sys.stdout.write(_json(found) if form == "json" else _text(found, kept=run.settings.cache))


@cache.command(cls=Command)
def path() -> None:
    """Print the path of the file of vectors."""
    from simil.embedders.cache.maintenance import cache_path

    with start_run(quiet=False, verbose=False) as run:
        sys.stdout.write(f"{cache_path(run.settings.cache_dir)}\n")


@cache.command(cls=Command)
def verify(quiet: opt.Quiet = False) -> None:
    """Check every vector; drop those that are damaged, and exit 1 if there were any."""
    from simil.embedders.cache.maintenance import verify as check

    with start_run(quiet=quiet, verbose=False) as run:
        result = check(run.settings.cache_dir)
        if not quiet:
            sys.stdout.write(f"{_many(result.checked, 'vector')} checked, {_found(result)}\n")
    if not result.is_sound:
        raise typer.Exit(1)


@cache.command(cls=Command)
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="Forget what was not used for so long: 30d, 12h, 4w."
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size", metavar="SIZE", help="Forget the oldest until no more is left: 500MB, 2GB."
        ),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Forget vectors by age or size, those first that were not used for longest."""
    from simil.embedders.cache.maintenance import prune as forget

    if older_than is None and max_size is None:
        raise UsageError("prune needs a limit", hint="pass --older-than or --max-size")
    age = None if older_than is None else _number(older_than, "--older-than", _AGES, "30d, 12h or 4w")
    size = None if max_size is None else _number(max_size, "--max-size", _SIZES, "500MB or 2GB")
    with start_run(quiet=quiet, verbose=False) as run:
        result = forget(
            run.settings.cache_dir, older_than_s=age, max_bytes=None if size is None else int(size)
        )
        if not quiet:
            freed = _bytes(max(result.before - result.after, 0))
            sys.stdout.write(f"{_many(result.dropped, 'vector')} forgotten, {freed} freed\n")


@cache.command(cls=Command)
def clear(quiet: opt.Quiet = False) -> None:
    """Forget all vectors. Models that were fetched and prepared stay."""
    from simil.embedders.cache.maintenance import clear as forget

    with start_run(quiet=quiet, verbose=False) as run:
        freed = forget(run.settings.cache_dir)
        if not quiet:
            sys.stdout.write(f"all vectors forgotten, {_bytes(freed)} freed\n")


def _found(result: Verified) -> str:
    if result.faults:
        return f"{result.path} is damaged and not used any more"
    return f"{_many(result.dropped, 'damaged one')} dropped" if result.dropped else "none damaged"


def _number(value: str, option: str, units: dict[str, int], examples: str) -> float:
    """Return what `30d` or `1.5GB` comes to in the smallest unit."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?) ?([A-Za-z]*)", value.strip())
    unit = match.group(2) if match else ""
    known = {name.lower(): factor for name, factor in units.items()}
    if match is None or unit.lower() not in known:
        raise UsageError(f"{option} cannot be {value!r}", hint=f"write it like {examples}")
    return float(match.group(1)) * known[unit.lower()]


def _json(found: CacheInfo) -> str:
    import orjson

    return orjson.dumps(found, option=orjson.OPT_INDENT_2, default=str).decode() + "\n"


def _text(found: CacheInfo, *, kept: bool) -> str:
    lines = [
        f"file     {found.path}",
        f"vectors  {found.vectors:,}",
        f"size     {_bytes(found.size)} of {_bytes(found.max_bytes)} at most"
        + ("" if kept else "; not used now (SIMIL_CACHE=0)"),
    ]
    if found.spaces:
        width = max(len(space.model) for space in found.spaces)
        lines += ["", *(_space(space, width) for space in sorted(found.spaces, key=lambda one: -one.vectors))]
    lines += [f"damaged  {path} was set aside; simil cache clear removes it" for path in found.set_aside]
    return "\n".join(lines) + "\n"


def _space(space: Space, width: int) -> str:
    from datetime import datetime

    # Uses are noted by the hour, and not each of them.
    day = datetime.fromtimestamp(space.used).astimezone().date().isoformat()
    return f"{space.model:{width}}  {space.vectors:>11,} vectors  last used {day}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _bytes(count: int) -> str:
    for unit in ("GB", "MB", "kB"):
        size = _SIZES[unit.upper()]
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
