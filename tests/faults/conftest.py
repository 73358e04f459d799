"""One control plane for all runs; each run has a namespace and an operator of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from isek.api import KINDS

from tests.faults.choice import BY_NAME, CHOICE, misspelt
from tests.faults.end_state import NEWS
from tests.faults.player import workloads_become_ready
from tests.faults.run import Ground
from tests.faults.scenarios import SCENARIOS
from tests.support.chart import render
from tests.support.control_plane import ControlPlane
from tests.support.kube import KubeClient, KubeError
from tests.support.operator_nursery import Nursery
from tests.support.waiting import until

CRDS = Path(__file__).parents[2] / "crds"


def pytest_configure() -> None:
    if BY_NAME and (wrong := misspelt(CHOICE, [*map(str, SCENARIOS), "scale"])):
        raise pytest.UsageError(wrong)


@pytest.fixture(scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with fresh_ground(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
async def own_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """For an operator that looks after all namespaces: nobody else has left anything there."""
    async with fresh_ground(tmp_path_factory.mktemp("faults")) as made:
        yield made


@asynccontextmanager
async def fresh_ground(folder: Path) -> AsyncIterator[Ground]:
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    roles = [document for document in render() if document["kind"] == "ClusterRole"]
    [role] = [role for role in roles if not role["metadata"]["name"].endswith(("-view", "-edit"))]
    async with (
        ControlPlane(definitions=definitions) as control_plane,
        workloads_become_ready(control_plane.kube),
    ):
        await until(lambda: _served(control_plane.kube), what="the custom resources are served", retry_on=(KubeError,))
        user = await control_plane.restricted_user("isek-operator", role["rules"])
        kinds = [kind for kind in await control_plane.kube.listed_kinds() if kind not in NEWS]
        with Nursery() as nursery:
            yield Ground(control_plane, user, nursery, folder, kinds)


async def _served(kube: KubeClient) -> bool:
    for kind in KINDS:
        await kube.list(kind)
    return True
