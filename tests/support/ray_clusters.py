"""A Ray cluster of several nodes on this machine, held by a process of its own.

    with ray_cluster(1, 1, env={}) as cluster:
        simil("embed", "texts.parquet", "-o", "vectors", "--on", cluster.on, env=cluster.env)

The process of the tests never imports Ray, which starts threads and changes the environment. The nodes are
those of `ray.cluster_utils.Cluster`; they end when the block does, and also when the tests are killed.
Everything listens on loopback, on ports that were free, and each cluster has a folder of its own, whose name
is short because Unix sockets lie in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["RayCluster", "RayWorker", "ray_cluster"]

_LOOPBACK = "127.0.0.1"
# The smallest that Ray takes; what the runs exchange between nodes is names of files and counts.
_OBJECT_STORE = 80 << 20
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    # A node on loopback stays there: Ray would look for it at the address of this machine in its network.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Every node would start a Python process per CPU before anyone asks for one.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_metrics_collection": "0",
    # Nodes of a busy machine answer late, and are not lost for that; one that is gone is noticed soon.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "20000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass(frozen=True)
class RayWorker:
    """A process in which an actor lives."""

    pid: int
    node: str
    actor: str  # the name of its class

    def kill(self) -> None:
        """Kill it as the kernel does when memory is short."""
        os.kill(self.pid, signal.SIGKILL)


class RayCluster:
    """Nodes of so many CPUs each. The first is the head, which cannot be removed."""

    def __init__(self, folder: Path, cpus: tuple[int, ...], env: Mapping[str, str]) -> None:
        here, there = socket.socketpair()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        with there, (folder / "keeper").open("wb") as printed:
            self._keeper = subprocess.Popen(
                [sys.executable, str(Path(__file__).resolve()), str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                pass_fds=[there.fileno()],
                env={**environ, **env, **_ENVIRONMENT, "RAY_TMPDIR": str(folder)},
            )
        self._folder = folder
        self._pipe = Connection(here.detach())
        self.nodes = [self._ask("add_node", number) for number in cpus]
        self.address: str = self._ask("address")

    @property
    def on(self) -> str:
        """What `--on` takes."""
        return f"ray://{self.address}"

    @property
    def env(self) -> Mapping[str, str]:
        """What a driver needs beside the address; without it, it takes part in the statistics of usage."""
        return {**_ENVIRONMENT, "RAY_TMPDIR": str(self._folder)}

    def add_node(self, cpus: int) -> str:
        """Start another node, wait until it takes part, and return its id."""
        self.nodes.append(self._ask("add_node", cpus))
        return self.nodes[-1]

    def remove_node(self, node: str) -> None:
        """Kill all processes of a node, as if its machine had lost its power."""
        self._ask("remove_node", node)
        self.nodes.remove(node)

    def workers(self) -> list[RayWorker]:
        """Return the processes of all living actors of simil."""
        return [RayWorker(*worker) for worker in self._ask("workers")]

    def close(self) -> None:
        """End all nodes."""
        self._pipe.close()
        self._keeper.wait()

    def _ask(self, question: str, *arguments: Any) -> Any:
        try:
            self._pipe.send((question, arguments))
            error, answer = self._pipe.recv()
        except (EOFError, OSError):
            error = "the keeper of the cluster has ended"
        if error:
            raise RuntimeError(f"{error}\n{(self._folder / 'keeper').read_text('utf-8')}")
        return answer


@contextmanager
def ray_cluster(*cpus: int, env: Mapping[str, str]) -> Iterator[RayCluster]:
    """Start a cluster with a node of each of these numbers of CPUs; `env` adds to the nodes' environment."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    try:
        cluster = RayCluster(folder, cpus, env)
        try:
            yield cluster
        finally:
            cluster.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Keeper:
    """What the cluster's own process does."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()

    def add_node(self, cpus: int) -> str:
        node = self._cluster.add_node(
            num_cpus=cpus,
            node_ip_address=_LOOPBACK,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
        )
        return str(node.node_id)

    def address(self) -> str:
        return str(self._cluster.address)

    def remove_node(self, node_id: str) -> None:
        [node] = [node for node in self._cluster.worker_nodes if node.node_id == node_id]
        self._cluster.remove_node(node, allow_graceful=False)
        self._cluster.wait_for_nodes()

    def workers(self) -> list[tuple[int, str, str]]:
        """Return process id, node id and class of the actors that are ready."""
        actors = self._cluster.global_state.actor_table(None, None, "ALIVE").values()
        return [
            (actor["Pid"], actor["Address"]["NodeID"], actor["ActorClassName"])
            for actor in actors
            if actor["Pid"]
        ]

    def close(self) -> None:
        self._cluster.shutdown()


def _keep(pipe: Connection) -> None:
    """Answer until the other end of the pipe is closed."""
    keeper = _Keeper()
    try:
        while True:
            try:
                question, arguments = pipe.recv()
            except EOFError:
                return
            try:
                pipe.send(("", getattr(keeper, question)(*arguments)))
            except Exception as error:  # noqa: BLE001 - the test is told, whatever it is
                pipe.send((repr(error), None))
    finally:
        keeper.close()


if __name__ == "__main__":
    # The tests' folder `support` would hide no module of Ray's today, but is not to be found by chance.
    sys.path.pop(0)
    with Connection(int(sys.argv[1])) as asked:
        _keep(asked)
