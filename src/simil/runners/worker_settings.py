"""Settings and variables as they travel to workers: what these need, and nothing else.

Keys travel within the objects that Ray hands to our own code, never in Ray's description of the environment
of a job, which it writes to its logs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from simil.blas import cores
from simil.config import Credentials, Settings, folder_of_caches
from simil.device import Device
from simil.embedders.local.cores import physical_cores
from simil.formats.remote_paths import is_remote
from simil.models.resolve import Provider, resolve
from simil.models.select import check_consent
from simil.runners.ray_cluster import ActorPool

__all__ = ["WorkerEnvironment", "local_settings", "travelling_settings"]

# By how addresses begin, those with s3+ddb, abfs and abfss, too.
_OF_STORES = {"s3": ("AWS_",), "gs": ("GOOGLE_", "GCS_"), "az": ("AZURE_",), "ab": ("AZURE_",)}
# These belong together: those of two machines are not mixed.
_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"}
_OF_HUB = ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE")


class WorkerEnvironment:
    """Variables of the driver that workers take where their machine does not set them."""

    def __init__(self, addresses: Iterable[str], settings: Settings) -> None:
        """Choose those for the object stores among these addresses, and for the hub if the model is there."""
        stores = {address[:2].lower() for address in addresses if is_remote(address)}
        prefixes = tuple(prefix for store in stores for prefix in _OF_STORES[store])
        names = [name for name in os.environ if name.startswith(prefixes)]
        if settings.model is None or resolve(settings.model).provider is Provider.HUB:
            names += [name for name in _OF_HUB if name in os.environ]
        self._values: Mapping[str, str] = {name: os.environ[name] for name in names}

    def apply(self) -> None:
        """Set them in this process, which is one of Ray's workers."""
        has_keys = not _KEYS.isdisjoint(os.environ)
        for name, value in self._values.items():
            if not (has_keys and name in _KEYS):
                os.environ.setdefault(name, value)


def travelling_settings(settings: Settings, pool: ActorPool) -> Settings:
    """Return the settings of actors: a model by a name that holds on all machines, and no key without need.

    Raises `ModelNotFound` for a model that is none, `UsageError` for one that nobody consented to.
    """
    ref = None if settings.model is None else resolve(settings.model)
    if ref is not None:
        check_consent(ref, settings)
    is_paid = ref is not None and ref.provider is Provider.OPENAI
    return settings.replaced(
        # Relative to the folder of the driver.
        model=ref.target if ref is not None and ref.provider is Provider.FOLDER else settings.model,
        device=Device("cuda", (0,)) if pool.gpus else settings.device,
        threads=pool.cores,
        # A finished part is not embedded again; only paid vectors are worth more than the wait for a cache
        # that all actors of a machine write to.
        cache=settings.cache and is_paid,
        openai=settings.openai if is_paid else Credentials(settings.openai.base_url, None),
    )


def local_settings(settings: Settings) -> Settings:
    """Return the settings on the machine of this process: with its caches, and threads on its real cores."""
    # Ray counts hardware threads, two of which share the multipliers of a core.
    threads = max(1, settings.threads * physical_cores() // cores())
    return settings.replaced(cache_dir=folder_of_caches(os.environ), threads=threads)
