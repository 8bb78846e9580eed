"""Installed plug-ins: the entry-point group `simil.embedders`, read without importing what it names."""

from __future__ import annotations

from typing import Any

from simil.errors import ModelNotFound
from simil.models.names import did_you_mean, nearest

__all__ = ["GROUP", "find_plugins", "plugin_points"]

GROUP = "simil.embedders"


def plugin_points() -> list[Any]:
    """Return the entry points of all installed plug-ins, sorted by name; none of them is imported."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def find_plugins(name: str) -> list[Any]:
    """Return the entry points called `name`, more than one where packages disagree.

    Raises `ModelNotFound` where there is none, with the nearest of those that are installed.
    """
    points = plugin_points()
    found = [point for point in points if point.name == name]
    if found:
        return found
    installed = list(dict.fromkeys(point.name for point in points))
    near = did_you_mean(f"plugin:{one}" for one in nearest(name, installed)[:3])
    listed = f"installed: {', '.join(installed) or 'none'}"
    raise ModelNotFound(f"there is no plug-in {name!r}", hint=f"{near} {listed}" if near else listed)
