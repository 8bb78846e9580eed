"""Embedders of other packages: the entry-point group `simil.embedders`.

A plug-in is a class derived from `simil.embedders.base.Embedder` that is made without arguments.
"""

from __future__ import annotations

import logging
from typing import Any

from simil.embedders.base import Embedder
from simil.errors import ModelError, ModelNotFound

__all__ = ["GROUP", "load_plugin", "plugin_names"]

log = logging.getLogger("simil")

GROUP = "simil.embedders"


def plugin_names() -> list[str]:
    """Return the names of the installed plug-ins that can be loaded; warns of each that cannot."""
    names = []
    for point in _entry_points():
        try:
            point.load()
        except Exception as exc:  # noqa: BLE001 (a stranger's code may raise anything; it harms nobody)
            log.warning("the plug-in %s (%s) is broken: %s", point.name, point.value, _said(exc))
        else:
            names.append(point.name)
    return sorted(names)


def load_plugin(name: str) -> Embedder:
    """Return the embedder of the plug-in `name`.

    Raises `ModelNotFound` when there is none, `ModelError` when it cannot be made or is no embedder.
    """
    points = [point for point in _entry_points() if point.name == name]
    if not points:
        installed = ", ".join(plugin_names()) or "none"
        raise ModelNotFound(f"there is no plug-in {name!r}", hint=f"installed: {installed}")
    if len(points) > 1:
        owners = ", ".join(sorted(point.value for point in points))
        raise ModelError(f"several packages bring a plug-in {name!r}: {owners}", hint="uninstall all but one")
    try:
        embedder = points[0].load()()
    except Exception as exc:
        raise ModelError(f"the plug-in {name} ({points[0].value}) is broken: {_said(exc)}") from exc
    if not isinstance(embedder, Embedder):
        raise ModelError(f"the plug-in {name} ({points[0].value}) is not an Embedder")
    if not getattr(embedder, "stamp", None):
        embedder.stamp = f"plugin:{name}"
    return embedder


def _entry_points() -> list[Any]:
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def _said(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}"
