"""Loads embedders of other packages, from the entry-point group `simil.embedders`.

A plug-in is a subclass of `simil.embedders.base.Embedder` whose constructor takes no arguments.
"""

from __future__ import annotations

from simil.embedders.base import Embedder
from simil.errors import ModelError
from simil.foreign import ForeignCode
from simil.models.entry_points import find_plugins

__all__ = ["load_plugin"]


def load_plugin(name: str) -> Embedder:
    """Return the embedder of the plug-in `name`.

    Raises `ModelNotFound` if there is none, `ModelError` if it cannot be loaded or is not an embedder.
    """
    points = find_plugins(name)
    if len(points) > 1:
        owners = ", ".join(sorted(point.value for point in points))
        raise ModelError(
            f"several packages provide a plug-in {name!r}: {owners}", hint="uninstall all but one"
        )
    with ForeignCode(f"the plug-in {name} ({points[0].value}) is broken"):
        embedder = points[0].load()()
    if not isinstance(embedder, Embedder):
        raise ModelError(f"the plug-in {name} ({points[0].value}) is not an Embedder")
    if not getattr(embedder, "stamp", None):
        embedder.stamp = f"plugin:{name}"
    return embedder
