"""One cluster and one S3 server for all tests that share them: starting one takes as long as ten runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.ray_clusters import RayCluster, ray_cluster
from support.s3_server import S3Server, s3_server


@pytest.fixture(scope="package")
def cluster() -> Iterator[RayCluster]:
    """Two nodes of one CPU each."""
    with ray_cluster(1, 1) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server
