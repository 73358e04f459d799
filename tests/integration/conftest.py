"""Fixtures of the integration tests: a real etcd and a real Kubernetes control plane."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from tests.support.control_plane import ControlPlane
from tests.support.control_plane_etcd import EtcdServer
from tests.support.kube import KubeClient, Object

CRDS = Path(__file__).parents[2] / "crds"


def definitions() -> list[Object]:
    """The custom resources."""
    return [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]


@pytest.fixture(scope="module")
async def etcd_server() -> AsyncIterator[EtcdServer]:
    """A single etcd of the module's own."""
    async with EtcdServer() as etcd:
        yield etcd


@pytest.fixture(scope="session")
async def control_plane() -> AsyncIterator[ControlPlane]:
    """The Kubernetes control plane that all tests of a run share, with the custom resources defined."""
    async with ControlPlane(definitions=definitions()) as control_plane:
        yield control_plane


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> str:
    """The name of a new namespace. It stays until the control plane ends."""
    name = f"test-{secrets.token_hex(4)}"
    await control_plane.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
    )
    return name


@pytest.fixture
def kube(control_plane: ControlPlane, namespace: str) -> KubeClient:
    """An administrator's client for the test's namespace."""
    return control_plane.kube.in_namespace(namespace)
