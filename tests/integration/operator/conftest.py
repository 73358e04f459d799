"""One operator for all tests; each works in a namespace of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.conftest import definitions
from tests.integration.operator.etcd_mesh import MESH, EtcdGround, EtcdMesh
from tests.integration.operator.operator_process import OperatorProcess
from tests.support.chart import render
from tests.support.control_plane import ControlPlane, Object, User
from tests.support.kubelet import Kubelet


@pytest.fixture(scope="session")
async def operator_user(control_plane: ControlPlane) -> User:
    """Somebody with the rights that the chart gives to the operator, and no more."""
    return await control_plane.restricted_user("isek-operator", operator_rules())


@pytest.fixture(scope="session")
async def operator(operator_user: User, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OperatorProcess]:
    """The running operator. Whatever happened in the tests, it logged no fault of its own."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    async with OperatorProcess(operator_user.kubeconfig, log) as process:
        yield process
    assert_no_fault(log)


def operator_rules() -> list[Object]:
    roles = [document for document in render() if document["kind"] == "ClusterRole"]
    [role] = [role for role in roles if not role["metadata"]["name"].endswith(("-view", "-edit"))]
    rules: list[Object] = role["rules"]
    return rules


def assert_no_fault(log: Path) -> None:
    text = log.read_text()
    assert "Traceback" not in text, text
    assert "ClusterRole" not in text, text


@pytest.fixture(scope="session")
async def etcd_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EtcdGround]:
    """A control plane and an operator of their own for meshes whose etcd runs."""
    log = tmp_path_factory.mktemp("etcd-operator") / "operator.log"
    async with (
        ControlPlane(definitions=definitions(), workloads=True) as control_plane,
        Kubelet(control_plane.kube, labels="isek.io/mesh") as kubelet,
    ):
        user = await control_plane.restricted_user("isek-operator", operator_rules())
        settings = {"etcd_lost_seconds": "8", "network_key_spread_seconds": "2"}
        async with OperatorProcess(user.kubeconfig, log, hosts=kubelet.hosts, **settings) as operator:
            yield EtcdGround(control_plane, kubelet, operator)
    assert_no_fault(log)


@pytest.fixture
async def etcd(etcd_ground: EtcdGround, tmp_path: Path) -> AsyncIterator[EtcdMesh]:
    """A mesh of the test's own, not made yet."""
    async with EtcdMesh(etcd_ground, tmp_path).told() as mesh:
        yield mesh
        await mesh.remove()


@pytest.fixture(scope="session")
async def shared_mesh(etcd_ground: EtcdGround, tmp_path_factory: pytest.TempPathFactory) -> EtcdMesh:
    mesh = EtcdMesh(etcd_ground, tmp_path_factory.mktemp("shared-mesh"))
    await mesh.make_namespace()
    return mesh


@pytest.fixture
async def three(shared_mesh: EtcdMesh) -> AsyncIterator[EtcdMesh]:
    """A mesh with three members, that other tests use before and after."""
    async with shared_mesh.told() as mesh:
        if await mesh.kube.find("IsekMesh", MESH) is None:
            await mesh.apply(replicas=3)
        await mesh.until_settled(3)
        yield mesh
