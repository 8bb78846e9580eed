"""One cluster and one S3 server for all tests that share them: starting one takes as long as ten runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.ray_clusters import RayCluster, ray_cluster
from support.s3_server import S3Server, s3_server


@pytest.fixture(scope="package")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="package")
def node_env(shared_cache: Path, s3: S3Server) -> Mapping[str, str]:
    """What nodes find on their machines: keys of the buckets, and the cache of prepared models."""
    folders = {
        name: str(shared_cache / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME")
    }
    return {**s3.env, **folders, "SIMIL_CACHE_DIR": str(shared_cache)}


@pytest.fixture(scope="package")
def cluster(node_env: Mapping[str, str]) -> Iterator[RayCluster]:
    """Two nodes of one CPU each."""
    with ray_cluster(1, 1, env=node_env) as cluster:
        yield cluster
