"""A mesh whose nodes reach each other, and etcd, over a network that loses packets and delivers them late."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.control_plane_etcd import EtcdServer
from tests.support.loaded_mesh import DESK, REPLICA, LoadedMesh, loaded_mesh
from tests.support.lossy_link import LossyLink, why_no_lossy_link
from tests.support.sidecar import sidecar_bundle
from tests.support.waiting import until

ROUNDS = int(os.environ.get("ISEK_LOAD_ROUNDS", "1"))
CALLS = 30
LOST_PACKETS = 20
HEALED_SECONDS = 30

pytestmark = [
    pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/"),
    pytest.mark.skipif(bool(why_no_lossy_link()), reason=why_no_lossy_link() or "there is one"),
    pytest.mark.timeout(120 * (1 + ROUNDS)),
]


@asynccontextmanager
async def over(link: LossyLink, folder: Path, etcd: EtcdServer) -> AsyncIterator[LoadedMesh]:
    """Who is asked lives at the far end."""

    def listens_at(host: str) -> dict[str, Any]:
        return {"sidecar_environment": {"ISEK_P2P_LISTEN_HOST": host, "ISEK_P2P_ANNOUNCE_HOST": host}}

    per_node = {"here": listens_at(link.near_host), "far": {**listens_at(link.far_host), "inside": link.inside}}
    hosted = {"here": DESK, "far": REPLICA}
    async with loaded_mesh(folder, etcd.members[0].port, hosted, proxy_host=link.near_host, per_node=per_node) as mesh:
        yield mesh


@pytest.fixture(scope="module")
async def link() -> AsyncIterator[LossyLink]:
    async with LossyLink(seed=6) as link:
        yield link


@pytest.fixture(scope="module")
async def mesh(
    tmp_path_factory: pytest.TempPathFactory, link: LossyLink, etcd_server: EtcdServer
) -> AsyncIterator[LoadedMesh]:
    async with over(link, tmp_path_factory.mktemp("lossy"), etcd_server) as mesh:
        yield mesh


@pytest.mark.parametrize("loss", [0.02, 0.1])
async def test_every_call_is_answered_over_a_network_that_is_late_and_loses_packets(
    mesh: LoadedMesh, link: LossyLink, loss: float
) -> None:
    for _ in range(ROUNDS):
        async with mesh.load() as load:
            await load.flows()
            link.loss, link.delay_seconds, link.jitter_seconds, lost = loss, 0.03, 0.02, link.lost
            try:
                await load.flows(calls=CALLS, within=90)
            finally:
                link.loss = link.delay_seconds = link.jitter_seconds = 0.0
            await load.end()

            assert link.lost > lost
            assert load.failed() == []
            await load.assert_promises()


async def test_a_network_that_is_cut_for_a_moment_loses_nothing(mesh: LoadedMesh, link: LossyLink) -> None:
    for _ in range(ROUNDS):
        async with mesh.load() as load:
            await load.flows()
            link.loss, lost = 1.0, link.lost
            try:
                await until(lambda lost=lost: link.lost > lost + LOST_PACKETS, what="it is missed", within=20)  # type: ignore[misc]
            finally:
                link.loss = 0.0
            await load.flows(within=HEALED_SECONDS)
            await load.end()

            assert load.failed() == []
            await load.assert_promises()
