"""Settings on the machines of a cluster: what travels to them, and what is a matter of each machine."""

from __future__ import annotations

import os

from simil.config import Settings, cache_dir_of
from simil.models.resolve import Provider, resolve

__all__ = ["settings_here", "settings_to_send"]


def settings_to_send(settings: Settings, *, threads: int) -> Settings:
    """Return the settings of a run for workers, which run in another folder: a model's is absolute."""
    sent = settings.replaced(threads=threads)
    if settings.model is None:
        return sent
    model = resolve(settings.model)
    return sent.replaced(model=model.target) if model.provider is Provider.FOLDER else sent


def settings_here(sent: Settings) -> Settings:
    """Return the settings that were sent, with this machine's cache directory: the user's may be another."""
    return sent.replaced(cache_dir=cache_dir_of(os.environ))
