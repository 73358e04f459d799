"""One operator for all tests; each works in a namespace of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.operator.operator_process import OperatorProcess
from tests.support.chart import render
from tests.support.control_plane import ControlPlane, User


@pytest.fixture(scope="session")
async def operator_user(control_plane: ControlPlane) -> User:
    """Somebody with the rights that the chart gives to the operator, and no more."""
    roles = [document for document in render() if document["kind"] == "ClusterRole"]
    [role] = [role for role in roles if not role["metadata"]["name"].endswith(("-view", "-edit"))]
    return await control_plane.restricted_user("isek-operator", role["rules"])


@pytest.fixture(scope="session")
async def operator(operator_user: User, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OperatorProcess]:
    """The running operator. Whatever happened in the tests, it logged no fault of its own."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    async with OperatorProcess(operator_user.kubeconfig, log) as process:
        yield process
    assert_no_fault(log)


def assert_no_fault(log: Path) -> None:
    text = log.read_text()
    assert "Traceback" not in text, text
    assert "ClusterRole" not in text, text
