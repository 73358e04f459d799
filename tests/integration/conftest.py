"""Fixtures of the integration tests: a real etcd and a real Kubernetes control plane."""

from collections.abc import AsyncIterator

import pytest

from tests.support.control_plane_etcd import EtcdServer


@pytest.fixture(scope="module")
async def etcd_server() -> AsyncIterator[EtcdServer]:
    """A single etcd of the module's own."""
    async with EtcdServer() as etcd:
        yield etcd
