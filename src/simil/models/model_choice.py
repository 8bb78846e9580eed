"""Which model a run without `-m` would use, and why; makes no network request."""

from __future__ import annotations

import time
from dataclasses import dataclass

from simil.config import Settings
from simil.errors import ModelError, UsageError
from simil.models.catalog import DEFAULT, FALLBACK
from simil.models.entry_points import find_plugins
from simil.models.hub.reachability import remembered
from simil.models.resolve import Provider, resolve
from simil.models.select import check_consent, find_local

__all__ = ["ModelChoice", "predict_choice"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that a run without `-m` would use, and why; `name` is None if the run would fail."""

    name: str | None
    why: str
    pinned: bool


def predict_choice(settings: Settings) -> ModelChoice:
    """Return the model that `choose_model` would choose now, as far as is known without the network."""
    if settings.model is not None:
        return _pinned(settings)
    default = resolve(DEFAULT)
    if find_local(default) is not None:
        return ModelChoice(DEFAULT, "the default, and here", pinned=False)
    if settings.hub_offline:
        why = f"{DEFAULT} is not here, and simil is offline ({settings.hub_offline})"
        return ModelChoice(FALLBACK, why, pinned=False)
    if remembered(settings.cache_dir, time.time()):
        return ModelChoice(
            FALLBACK, f"{DEFAULT} is not here, and the hub did not answer a moment ago", pinned=False
        )
    return ModelChoice(DEFAULT, f"the default; the first run fetches it, or uses {FALLBACK}", pinned=False)


def _pinned(settings: Settings) -> ModelChoice:
    assert settings.model is not None
    why = f"pinned by {settings.model_from}"
    try:
        ref = resolve(settings.model)
        if ref.provider is Provider.PLUGIN:
            find_plugins(ref.target)
        check_consent(ref, settings)
        return ModelChoice(ref.cli_name, why, pinned=True)
    except (ModelError, UsageError) as exc:
        return ModelChoice(None, f"{exc} ({why})", pinned=True)
