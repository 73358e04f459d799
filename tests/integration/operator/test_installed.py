"""What ``helm test`` runs, against a running operator and by somebody without any rights."""

import asyncio
import sys
from pathlib import Path

import pytest
from isek.processes.ports import free_port
from isek_operator.installed import complaint

from tests.integration.operator.operator_process import OperatorProcess
from tests.support.control_plane import ControlPlane, KubeClient, User
from tests.support.credentials import credentials_of
from tests.support.kubectl import run


@pytest.fixture
async def nobody(control_plane: ControlPlane, kube: KubeClient) -> Path:
    """The kubeconfig of a service account without rights."""
    await kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}})
    return (await control_plane.service_account("nobody", namespace=kube.namespace)).kubeconfig


async def installed(kubeconfig: Path, port: int) -> str:
    address = f"http://127.0.0.1:{port}/readyz"
    return await run(sys.executable, "-m", "isek_operator.installed", address, env={"KUBECONFIG": str(kubeconfig)})


async def test_a_ready_operator_and_its_kinds_are_found(nobody: Path, operator: OperatorProcess) -> None:
    await installed(nobody, operator.health_port)


async def test_an_operator_that_starts_is_waited_for(nobody: Path, operator_user: User, tmp_path: Path) -> None:
    starting = OperatorProcess(operator_user.kubeconfig, tmp_path / "operator.log", watch_namespaces="nowhere")
    test = asyncio.create_task(installed(nobody, starting.health_port))
    async with starting:
        await test


async def test_an_operator_that_does_not_answer_is_named(nobody: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}/readyz"

    found = await complaint(address, credentials_of(nobody), within=0)

    assert found == f"the operator does not answer at {address}; see kubectl describe pods"
