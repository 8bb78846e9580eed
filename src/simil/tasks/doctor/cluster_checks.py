"""The check of Ray: which cluster `--on ray` would use, and what that cluster has.

Ray is asked in a process of its own, which is ended if it does not answer: its libraries wait for a minute,
write to stderr, and would stay in this process.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec

from simil.tasks.doctor.findings import CheckContext, Finding, not_asked, ok, warn

__all__ = ["cluster"]

_NAME = "ray cluster"
_VARIABLE = "RAY_ADDRESS"
_SECONDS = 3.0
# Python and Ray start in less than a second, on a busy machine in a few.
_START_SECONDS = 12.0
# It asks without becoming part of the cluster. A node that is alive has the state 0.
_ASK = """
import json, sys
from ray._raylet import GcsClient
nodes = GcsClient(address=sys.argv[1]).get_all_node_info(timeout=3).values()
print(json.dumps([dict(node.resources_total) for node in nodes if node.state == 0]))
"""


def cluster(context: CheckContext) -> Iterator[Finding]:
    """Report the nodes of the cluster that RAY_ADDRESS names; start none."""
    named = os.environ.get(_VARIABLE, "").strip()
    if not named or named == "local":
        yield ok(_NAME, f"{_VARIABLE} is not set: --on ray starts Ray on this machine")
    elif find_spec("ray") is None:
        yield warn(
            _NAME, f"{_VARIABLE} is set, but ray is not installed", "run: pip install 'simil-cli[ray]'"
        )
    elif context.offline:
        yield not_asked(_NAME, context, context.settings.offline)
    else:
        yield _asked(named.removeprefix("ray://"))


def _asked(address: str) -> Finding:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        return warn(
            _NAME, f"{_VARIABLE} is not HOST:PORT", "name the address that `ray start --head` printed"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
            pass
        nodes = _nodes(address)
    except OSError as exc:
        return _unreachable(address, str(exc.strerror or exc))
    if nodes is None:
        return _unreachable(address, "what listens there is no Ray, or one of another version")
    return ok(_NAME, f"{address}: {len(nodes)} nodes, {_sum(nodes, 'CPU')} CPUs, {_sum(nodes, 'GPU')} GPUs")


def _nodes(address: str) -> Sequence[Mapping[str, float]] | None:
    """Return what each node has; None if Ray gets no answer."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK, address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_START_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:
        return None
    found: Sequence[Mapping[str, float]] = json.loads(done.stdout)
    return found


def _sum(nodes: Sequence[Mapping[str, float]], resource: str) -> str:
    return f"{sum(node.get(resource, 0) for node in nodes):g}"


def _unreachable(address: str, why: str) -> Finding:
    return warn(
        _NAME, f"{address} does not answer: {why}", f"check {_VARIABLE}, and that the cluster is running"
    )
