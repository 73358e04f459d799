"""A node process that is killed cannot say good-bye."""

import asyncio
import os
import sys
import time

import pytest
from isek.node.settings import NodeSettings
from isek.registry import open_registry

from tests.integration.registry.conftest import Discovery

TTL_SECONDS = 5
NODE_PROCESS = """
import asyncio
from isek.node.settings import NodeSettings
from isek.registry import AgentRecord, NodeRecord, open_registry

async def main():
    async with open_registry(NodeSettings()) as registry:
        await registry.register(NodeRecord(node_id="killed.default", host="127.0.0.1", port=1,
                                           agents=(AgentRecord(name="writer"),)))
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("discovery", ["over_http", "over_etcd"], indirect=True)
async def test_a_killed_process_is_forgotten_within_its_time_and_a_second(discovery: Discovery) -> None:
    settings = NodeSettings(registry_url=discovery.url, mesh_id=discovery.mesh_id, registry_ttl_seconds=TTL_SECONDS)
    async with open_registry(settings) as far:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", NODE_PROCESS, env={**os.environ, **settings.to_environment()}
        )
        try:
            assert await far.wait_for(lambda: far.find("writer.default"), 20)
        finally:
            process.kill()
            killed = time.monotonic()
            await process.wait()

        assert far.peers()
        assert await far.wait_for(lambda: not far.peers(), TTL_SECONDS + 2)
        assert time.monotonic() - killed < TTL_SECONDS + 1
