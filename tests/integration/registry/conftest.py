"""The registries, for one test suite."""

import secrets
from collections.abc import AsyncIterator, Callable

import pytest
from isek.registry import Registry
from isek.registry.center_client import CenterClient, CenterRegistry
from isek.registry.default import DefaultRegistry
from isek.registry.etcd import EtcdRegistry
from isek.registry.etcd_client import EtcdClient
from isek.registry.memory_store import MemoryStore
from isek.registry.store import Store

from tests.support.center_registry import center_registry
from tests.support.control_plane_etcd import EtcdServer
from tests.support.secure_etcd import NODE, SecureEtcd
from tests.unit.manifests.samples import a_mesh

TTL_SECONDS = 2


class Discovery:
    """One registry of a kind, that any number of nodes opens for a mesh of the test's own."""

    def __init__(self, open_registry: Callable[[str], Registry], open_store: Callable[[], Store], url: str) -> None:
        self._open_registry = open_registry
        self.open_store = open_store
        self.url = url
        self.mesh_id = f"test.{secrets.token_hex(4)}"
        self.ttl_seconds = TTL_SECONDS

    def open(self, mesh_id: str | None = None) -> Registry:
        return self._open_registry(mesh_id or self.mesh_id)


@pytest.fixture
async def center() -> AsyncIterator[str]:
    """The URL of a center registry."""
    async with center_registry() as url:
        yield url


@pytest.fixture
def in_process() -> Discovery:
    store = MemoryStore()
    return Discovery(lambda mesh_id: DefaultRegistry(store, mesh_id=mesh_id, ttl_seconds=2), lambda: store, "memory:")


@pytest.fixture
def over_http(center: str) -> Discovery:
    return Discovery(
        lambda mesh_id: CenterRegistry(center, mesh_id=mesh_id, ttl_seconds=2), lambda: CenterClient(center), center
    )


@pytest.fixture
def over_etcd(etcd_server: EtcdServer) -> Discovery:
    endpoints = etcd_server.endpoints
    return Discovery(
        lambda mesh_id: EtcdRegistry(endpoints, mesh_id=mesh_id, ttl_seconds=2),
        lambda: EtcdClient(endpoints),
        etcd_server.url,
    )


@pytest.fixture(scope="module")
async def secure_etcd() -> AsyncIterator[SecureEtcd]:
    """The etcd of a mesh, which asks who somebody is."""
    async with SecureEtcd(a_mesh()) as etcd:
        await etcd.enable_auth(["/isek/"])
        yield etcd


@pytest.fixture
def over_tls(secure_etcd: SecureEtcd) -> Discovery:
    endpoints, tls = [secure_etcd.endpoint], secure_etcd.certificates.files(NODE)
    return Discovery(
        lambda mesh_id: EtcdRegistry(endpoints, mesh_id=mesh_id, ttl_seconds=2, tls=tls),
        lambda: EtcdClient(endpoints, tls),
        f"etcds://{secure_etcd.endpoint}",
    )


@pytest.fixture(params=["in_process", "over_http", "over_etcd", "over_tls"])
def discovery(request: pytest.FixtureRequest) -> Discovery:
    """Each kind of registry in turn."""
    found: Discovery = request.getfixturevalue(request.param)
    return found
