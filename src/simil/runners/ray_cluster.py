"""The cluster of a run: one that runs already, or one of this machine that lasts as long as the run."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from simil.blas import cores
from simil.errors import ModelError, UsageError
from simil.foreign import what_was_raised
from simil.runners.ray_folder import ray_folder
from simil.runners.ray_library import ray_library

__all__ = ["ActorPool", "NodeSize", "choose_pool", "connected", "node_sizes"]

_SCHEME = "ray://"
_REACH_SECONDS = 5.0
_STDERR = 2
# Unless it is "0", Ray replaces loopback by the address of the machine in its network.
_MULTI_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# Parts are named to actors and reports come back; nothing else is in Ray's memory.
_OBJECT_STORE_BYTES = 160_000_000
_USUAL_CORES = 4
_MOST_CORES = 8


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What a node has in all: logical cores and graphics cards, as Ray counts them."""

    cpus: float
    gpus: float = 0


@dataclass(frozen=True, slots=True)
class ActorPool:
    """How many actors there are, and what each has."""

    actors: int
    cores: int
    gpus: int = 0


@contextmanager
def connected(address: str, offline: str = "") -> Iterator[Any]:
    """Yield Ray, connected to the cluster at `address`: "ray" or "ray://HOST:PORT".

    "ray" alone is the cluster of RAY_ADDRESS, else one of this machine that ends with the block. The
    address is the one that `ray start` prints and takes, not that of a Ray Client server: Ray Data is not
    made for that, and a driver on a node of the cluster needs none. `offline` names a setting that forbids
    connections, and with it any cluster but one of this process; then raises `UsageError`.
    """
    named = address if address.startswith(_SCHEME) else os.environ.get("RAY_ADDRESS") or "local"
    where = named.removeprefix(_SCHEME)
    if offline and where != "local":
        raise UsageError(
            f"the cluster at {where} needs a connection, and simil is offline ({offline})",
            hint=f"run without {offline}",
        )
    if where not in ("local", "auto"):
        _check_reachable(where)
    with _own_node() if where == "local" else _no_node() as options:
        ray = ray_library()
        try:
            with _native_stderr_silenced():
                ray.init(address=where, log_to_driver=False, logging_level="ERROR", **options)
        except Exception as exc:
            raise ModelError(f"no connection to the cluster at {where}: {what_was_raised(exc)}") from exc
        try:
            logging.getLogger("ray").setLevel(logging.ERROR)
            logging.getLogger("ray.data").setLevel(logging.CRITICAL)
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _no_node() -> Iterator[dict[str, Any]]:
    yield {}


@contextmanager
def _own_node() -> Iterator[dict[str, Any]]:
    """Yield how Ray starts on this machine: whatever listens does so on loopback, and its files end with it.

    Ray lets whoever reaches its ports run code, and would listen on all interfaces.
    """
    os.environ[_MULTI_MACHINE] = "0"  # Read when Ray is imported.
    with ray_folder() as folder:
        yield {
            "num_cpus": cores(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }


@contextmanager
def _native_stderr_silenced() -> Iterator[None]:
    """Discard what goes to the descriptor of stderr: Ray's native code announces its log level there."""
    kept = os.dup(_STDERR)
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)


def _check_reachable(where: str) -> None:
    """Raise `ModelError` unless something listens there: Ray would try for more than a minute."""
    host, _, port = where.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise UsageError(
            f"{where} is not the address of a cluster", hint="name HOST:PORT, as in --on ray://10.0.0.1:6379"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS):
            pass
    except OSError as exc:
        raise ModelError(
            f"no cluster answers at {where}: {exc.strerror or exc}",
            hint="check the address, and that the cluster is running",
        ) from exc


def node_sizes(ray: Any) -> list[NodeSize]:
    """Return what each node that is alive has."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [NodeSize(node.get("CPU", 0), node.get("GPU", 0)) for node in alive]


def choose_pool(
    nodes: Sequence[NodeSize], *, actors: int | None, cores_per_actor: int | None, uses_gpus: bool
) -> ActorPool:
    """Return how many actors run with how many cores each: as many as fit, unless the user says.

    Raises `UsageError`, with the numbers, for actors that do not fit: Ray would wait forever.
    """
    gpus = 1 if uses_gpus and any(node.gpus >= 1 for node in nodes) else 0
    size = cores_per_actor or _best_cores(nodes, gpus)
    most = sum(_fitting(node, size, gpus) for node in nodes)
    if not most:
        largest = max((node.cpus for node in nodes), default=0)
        raise UsageError(
            f"an actor of {size} cores does not fit: the largest of {len(nodes)} nodes has {largest:g}",
            hint=f"pass --cores-per-actor {max(int(largest), 1)}",
        )
    if actors is not None and actors > most:
        raise UsageError(
            f"--actors {actors} of {size} cores do not fit on {len(nodes)} nodes with "
            f"{sum(node.cpus for node in nodes):g} cores: Ray would wait forever",
            hint=f"pass --actors {most} or fewer",
        )
    return ActorPool(actors or most, size, gpus)


def _fitting(node: NodeSize, size: int, gpus: int) -> int:
    by_cores = int(node.cpus // size)
    return min(by_cores, int(node.gpus)) if gpus else by_cores


def _best_cores(nodes: Sequence[NodeSize], gpus: int) -> int:
    """Return with how many cores per actor most cores have work; of equals, the one nearest to the usual."""
    if gpus:
        return max(1, min((int(node.cpus // node.gpus) for node in nodes if node.gpus >= 1), default=1))
    sizes = range(1, _MOST_CORES + 1)
    return min(
        sizes,
        key=lambda size: (-sum(int(node.cpus // size) * size for node in nodes), abs(size - _USUAL_CORES)),
    )
