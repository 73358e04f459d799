"""A node tells its mesh which agents go without tools that have changed."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from isek.processes.ports import free_port
from isek.registry.broken import BrokenRecord

from tests.support.control_plane_etcd import EtcdServer
from tests.support.mcp_server import serving
from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.waiting import until

ORDER: dict[str, Any] = {"toolCalls": [{"name": "order", "arguments": {"items": [{"name": "tea", "count": 1}]}}]}


async def test_a_tool_that_turns_is_told_in_the_registry(tmp_path: Path, etcd_server: EtcdServer) -> None:
    port = free_port()
    clerk = agent("clerk", scripted(ORDER, {"text": "done"}), tools=[{"mcp": {"url": f"http://127.0.0.1:{port}/mcp"}}])
    key = "/isek/turning/broken/default/node"

    async def told() -> BrokenRecord | None:
        found = await etcd_server.members[0].call("/v3/kv/range", {"key": b64encode(key.encode()).decode()})
        values = [b64decode(each["value"]) for each in found.get("kvs", ())]
        return BrokenRecord.decode(key, values[0]) if values else None

    registry: dict[str, Any] = {"registry_url": etcd_server.url, "mesh_id": "turning"}
    async with NodeProcess(tmp_path, [clerk], **registry) as node:
        async with serving(port):
            assert (await ask(node.url, "hello"))[1]["response"] == "done"
        await ask(node.url, "hello")  # to find that the server is gone
        assert await told() is None
        async with serving(port, turned=True):
            assert (await ask(node.url, "hello"))[1]["response"] == "done"
        record = await until(told, what="the registry knows of the tool")

    [said] = record.changed
    assert (said.name, record.agents) == ("clerk", ())
    assert "has changed tool 'order', which is not used" in said.message
