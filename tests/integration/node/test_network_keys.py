"""What a node tells its mesh of its sidecar's keys."""

from pathlib import Path

import aiohttp
import pytest
from isek.processes.network_key import fingerprints, new_private_network_key
from isek.registry import NodeRecord
from isek.registry.record import nodes_prefix

from tests.support.node_process import agent
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/")


async def test_the_mesh_knows_which_keys_a_sidecar_has_taken_up(tmp_path: Path, center: str) -> None:
    former, latest = new_private_network_key(), new_private_network_key()
    file = tmp_path / "private-network.key"
    file.write_text(former)
    peer = PeerNode(
        tmp_path / "node",
        [agent("echo", {"provider": "Echo"})],
        private_network_key=file,
        registry_url=center,
        mesh_id="default.keys",
    )

    async def told() -> tuple[str, ...]:
        async with http.get(f"{center}/keys", params={"prefix": nodes_prefix("default.keys")}) as answer:
            ((key, value),) = (await answer.json())["items"]
        return NodeRecord.decode(key, value.encode()).network_keys

    async with peer, aiohttp.ClientSession() as http:
        assert await told() == fingerprints(former)
        for keys in (former + latest, latest + former, latest):
            file.write_text(keys)

            async def taken_up(keys: str = keys) -> bool:
                return await told() == fingerprints(keys)

            await until(taken_up, what="the mesh knows of it", within=20)
