"""An etcd that grows and shrinks gets there, whenever its operator is killed, and loses nothing.

Its members really run. A kill is before or after a write to the API server, or a step with the etcd itself.
``ISEK_FAULTS=all``: at every one of them; else at a few.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from isek_operator.cluster.etcd import EtcdError

from tests.faults.choice import ALL, BY_NAME, named
from tests.faults.run import Ground, Run
from tests.faults.schedules import schedule
from tests.integration.conftest import definitions
from tests.integration.operator.conftest import operator_rules
from tests.integration.operator.etcd_mesh import ETCD, EtcdGround, EtcdMesh
from tests.integration.registry.records import node
from tests.support.control_plane import ControlPlane
from tests.support.fault_proxy import NoFaults
from tests.support.kubelet import Kubelet
from tests.support.operator_nursery import Nursery
from tests.support.waiting import until

FEWEST, MOST = 30, 45
"""Writes and steps there and back, of which some are tried again when etcd refuses. The first always come."""
AT_ONCE = 4
WITHIN = 90
pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members


def kills() -> list[str]:
    every = [f"{kill}-{k}" for k in range(1, MOST + 1) for kill in ("unsent", "lost")]
    if ALL:
        return every
    if BY_NAME:
        return named("scale")
    return random.Random(4).sample(every[: 2 * FEWEST], AT_ONCE)  # noqa: S311 - no secret


BATCHES = [kills()[first : first + AT_ONCE] for first in range(0, len(kills()), AT_ONCE)]


@pytest.fixture(scope="module")
async def etcd_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Ground, Kubelet]]:
    async with (
        ControlPlane(definitions=definitions(), workloads=True) as control_plane,
        Kubelet(control_plane.kube, labels="isek.io/mesh") as kubelet,
    ):
        user = await control_plane.restricted_user("isek-operator", operator_rules())
        with Nursery() as nursery:
            yield Ground(control_plane, user, nursery, tmp_path_factory.mktemp("scale"), ()), kubelet


@pytest.mark.parametrize("names", BATCHES, ids=",".join)
async def test_an_etcd_grows_and_shrinks_whenever_its_operator_is_killed(
    etcd_ground: tuple[Ground, Kubelet], tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    runs = (there_and_back(*etcd_ground, tmp_path_factory.mktemp(name), name) for name in names)
    results = await asyncio.gather(*runs, return_exceptions=True)

    failed = {name: result for name, result in zip(names, results, strict=True) if result is not None}
    told = [f"=== scale:{name}\n{result}" for name, result in failed.items()]
    again = ",".join(f"scale:{name}" for name in failed)
    assert not failed, "\n".join([*told, f"=== again: ISEK_FAULTS={again} make faults"])


async def there_and_back(ground: Ground, kubelet: Kubelet, folder: Path, name: str) -> None:
    async with Run(ground, "scale").running() as run:
        members = EtcdGround(ground.control_plane, kubelet, run.operator)
        etcd = EtcdMesh(members, folder, namespace=run.namespace)
        await etcd.has_members(1, within=WITHIN)
        # not forgotten however busy the machine is
        async with etcd.registry(ttl_seconds=600) as registry:
            await registry.register(node("node-0"))
            async with await etcd.clients(writers=1, watchers=1) as clients:
                run.proxy.writes, run.proxy.schedule = 0, schedule(name)
                for count in (3, 1):
                    await etcd.has_members(count, within=WITHIN)
                    await until_only(etcd, count)
        writes, run.proxy.schedule = run.proxy.writes, NoFaults()
        assert len(clients.history[-1]["registered"]) == 1
        assert clients.verdict.violations == []
        assert run.lives == 1 or int(name.rpartition("-")[2]) > FEWEST, f"no kill among {writes} writes"
        await etcd.remove()


async def until_only(etcd: EtcdMesh, count: int) -> None:
    what = f"there are {count} members and nobody else"
    await until(lambda: only(etcd, count), within=WITHIN, what=what, retry_on=(EtcdError, LookupError))


async def only(etcd: EtcdMesh, count: int) -> bool:
    """Whether etcd lists just so many members, all of which vote, and nobody else has a pod or a volume claim."""
    names = {f"{ETCD}-{number}" for number in range(count)}
    listed = await etcd.listed()
    assert {(each.name, each.learner) for each in listed} == {(name, False) for name in names}, listed
    assert set(await etcd.pods()) == names
    claims = {claim["metadata"]["name"] for claim in await etcd.kube.list("PersistentVolumeClaim")}
    assert claims == {f"data-{name}" for name in names}
    return True
