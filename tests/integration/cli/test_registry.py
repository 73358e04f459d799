"""``isek registry`` as a process."""

import asyncio
import re
import signal
import socket
from asyncio.subprocess import PIPE
from pathlib import Path

from isek.node.settings import NodeSettings
from isek.registry import NodeRecord, open_registry

from tests.support.isek_local import PROGRAM, Home


async def test_nodes_find_each_other_through_it() -> None:
    process = await asyncio.create_subprocess_exec(PROGRAM, "registry", "--port", "0", stdout=PIPE)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found is not None

    registry = open_registry(NodeSettings(registry_url=found[0]))
    await registry.start()
    await registry.register(NodeRecord(node_id="a.default", host="127.0.0.1", port=1))
    assert [record.node_id for record in registry.peers()] == ["a.default"]
    await registry.close()

    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = await Home(tmp_path).isek("registry", "--port", str(port))

    assert finished.code == 1
    assert finished.err.count("\n") == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in finished.err
    assert "choose another with --host and --port" in finished.err
