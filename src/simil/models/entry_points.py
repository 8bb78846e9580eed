"""Lists the installed plug-ins, the entry points of the group `simil.embedders`, without importing them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simil.errors import ModelNotFound
from simil.near_names import close_matches, did_you_mean

__all__ = ["find_plugins", "installed_plugins"]

_GROUP = "simil.embedders"


def installed_plugins() -> list[str]:
    """Return the names of all installed plug-ins, sorted."""
    return list(dict.fromkeys(point.name for point in _entry_points()))


def find_plugins(name: str) -> list[Any]:
    """Return the entry points called `name`; more than one if several packages provide it.

    Raises `ModelNotFound` if there is none, with the installed plug-ins of similar names.
    """
    found = [point for point in _entry_points() if point.name == name]
    if found:
        return found
    installed = installed_plugins()
    suggestion = did_you_mean(f"plugin:{other}" for other in close_matches(name, installed)[:3])
    listed = f"installed: {', '.join(installed) or 'none'}"
    hint = f"{suggestion} {listed}" if suggestion else listed
    raise ModelNotFound(f"there is no plug-in {name!r}", hint=hint)


def _entry_points() -> list[Any]:
    from importlib.metadata import entry_points

    try:
        found = [*entry_points(group=_GROUP)]
    except Exception:  # noqa: BLE001 (the parser of a damaged file raises what it happens to)
        found = _readable_entry_points()
    return sorted(found, key=lambda point: (point.name, point.value))


def _readable_entry_points() -> list[Any]:
    """Return those of all packages but the ones whose metadata are damaged: these harm no other."""
    from importlib.metadata import distributions

    found: dict[str, list[Any]] = {}
    for package in distributions():
        with suppress(Exception):
            # The first of a name is the one that is imported.
            found.setdefault(package.name, [*package.entry_points.select(group=_GROUP)])
    return [point for points in found.values() for point in points]
