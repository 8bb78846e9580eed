"""`simil cache`: the cache of computed vectors."""

from __future__ import annotations

import re
from typing import Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Option
from simil.cli.options.groups import expanded
from simil.cli.options.run import start_run
from simil.data_stream import stdout
from simil.errors import NothingGiven, UsageError

__all__ = ["SUBCOMMANDS"]


_DAY_S = 86_400
_AGES = {"h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@expanded
def info(form: opt.TextOrJson = "text") -> None:
    """Show where the cache is, how large it is, and what it holds."""
    from simil.cli.commands.cache_view import info_json, info_text
    from simil.embedders.cache.maintenance import info as look

    values.check_choice("--format", form, ("text", "json"))
    with start_run(quiet=False, verbose=False) as run:
        found = look(run.settings.cache_dir, run.settings.cache_mb * 10**6)
        stdout().write(info_json(found) if form == "json" else info_text(found, kept=run.settings.cache))


@expanded
def path() -> None:
    """Print the path of the cache file."""
    from simil.embedders.cache.maintenance import cache_path

    with start_run(quiet=False, verbose=False) as run:
        stdout().write(f"{cache_path(run.settings.cache_dir)}\n")


@expanded
def verify(quiet: opt.Quiet = False) -> None:
    """Check every vector, drop damaged ones, and exit with 1 if there were any."""
    from simil.cli.commands.cache_view import verified_text
    from simil.embedders.cache.maintenance import verify as check

    with start_run(quiet=quiet, verbose=False) as run:
        result = check(run.settings.cache_dir)
        if not quiet:
            stdout().write(verified_text(result))
    if not result.is_sound:
        raise NegativeAnswer


@expanded
def prune(
    older_than: Annotated[
        str | None,
        Option(
            "--older-than",
            metavar="AGE",
            help="Delete vectors that have not been used for AGE, such as 12h, 30d or 4w.",
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        Option(
            "--max-size",
            metavar="SIZE",
            help="Delete vectors until at most SIZE is left, such as 500MB or 2GB.",
        ),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Forget vectors by age or size, least recently used first."""
    from simil.cli.commands.cache_view import pruned_text
    from simil.embedders.cache.maintenance import prune as delete

    if older_than is None and max_size is None:
        raise NothingGiven("prune needs a limit", hint="pass --older-than or --max-size")
    age = None if older_than is None else _number(older_than, "--older-than", _AGES, "30d, 12h or 4w")
    size = None if max_size is None else _number(max_size, "--max-size", _SIZES, "500MB or 2GB")
    with start_run(quiet=quiet, verbose=False) as run:
        result = delete(
            run.settings.cache_dir, older_than_s=age, max_bytes=None if size is None else int(size)
        )
        if not quiet:
            stdout().write(pruned_text(result))


@expanded
def clear(quiet: opt.Quiet = False) -> None:
    """Forget all vectors; fetched and prepared models stay."""
    from simil.cli.commands.cache_view import cleared_text
    from simil.embedders.cache.maintenance import clear as delete

    with start_run(quiet=quiet, verbose=False) as run:
        freed = delete(run.settings.cache_dir)
        if not quiet:
            stdout().write(cleared_text(freed))


def _number(value: str, option: str, units: dict[str, int], examples: str) -> float:
    """Return `30d` or `1.5GB` in the smallest unit."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?) ?([A-Za-z]*)", value.strip())
    unit = match.group(2) if match else ""
    known = {name.lower(): factor for name, factor in units.items()}
    if match is None or unit.lower() not in known:
        raise UsageError(f"{option} cannot be {value!r}", hint=f"write it like {examples}")
    return float(match.group(1)) * known[unit.lower()]


SUBCOMMANDS = {"info": info, "path": path, "verify": verify, "prune": prune, "clear": clear}
