"""What the shell offers when Tab is pressed: names of models."""

from __future__ import annotations

__all__ = ["model_names"]


def model_names(incomplete: str) -> list[str]:
    """Return the names that begin with what was typed: known models, those that are here, plug-ins.

    Nothing is loaded; whatever goes wrong while somebody types is no reason to speak.
    """
    from simil.models.hub_cache import cached_repos, hub_cache_dir
    from simil.models.names import known_names
    from simil.models.plugins import plugin_points

    names = [*known_names(), *(f"plugin:{point.name}" for point in plugin_points())]
    names += cached_repos(hub_cache_dir())
    return list(dict.fromkeys(name for name in names if name.startswith(incomplete)))
