"""One cluster and one S3 server for all tests that share them: starting one takes as long as several runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support import gated_plugin
from support.ray_clusters import RayCluster, ray_cluster
from support.s3_server import S3Server, s3_server


@pytest.fixture(scope="package")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="package")
def node_env(shared_cache: Path, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What nodes find on their machines: keys of the buckets, a plug-in, the cache of prepared models."""
    folders = {
        name: str(shared_cache / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME")
    }
    site = gated_plugin.install(tmp_path_factory.mktemp("site"))
    return {**folders, "SIMIL_CACHE_DIR": str(shared_cache), "PYTHONPATH": str(site)}


@pytest.fixture(scope="package")
def nodes(node_env: Mapping[str, str]) -> Iterator[RayCluster]:
    """Two nodes of one CPU each."""
    with ray_cluster(1, 1, env=node_env) as cluster:
        yield cluster


@pytest.fixture
def cluster(nodes: RayCluster, node_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    """Two nodes of one CPU each; processes of the test have what they need to take part."""
    for name, value in {**node_env, **nodes.env, "RAY_ADDRESS": nodes.address}.items():
        monkeypatch.setenv(name, value)
    return nodes
