"""A real node with agents of code, and with some that it cannot build."""

from pathlib import Path
from typing import Any

import aiohttp
from isek.registry import BrokenRecord
from isek.registry.broken import broken_prefix

from tests.support.node_process import NodeProcess, agent, ask
from tests.support.waiting import until

ECHO = {"provider": "Echo"}
POETS = """
from isek import Adapter
from metre import FEET

class Poet(Adapter):
    async def answer(self, message, context):
        return f"{message} on {FEET} feet"

poet = Poet("somebody", description="Writes verse")
"""


def coded(name: str, entrypoint: str) -> dict[str, Any]:
    code = {"configMapRef": {"name": "poets"}, "entrypoint": entrypoint}
    return {**agent(name, ECHO), "spec": {"code": code}}


def write_code(folder: Path, **files: str) -> Path:
    (folder / "code" / "poets").mkdir(parents=True)
    for name, text in files.items():
        (folder / "code" / "poets" / f"{name}.py").write_text(text)
    return folder / "code"


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def test_one_that_cannot_be_built_says_why_and_its_neighbours_answer(tmp_path: Path) -> None:
    code = write_code(tmp_path, poets=POETS, metre="FEET = 5\n", broken="\nimport no_such_module\n")
    own_model = agent("custom", {"provider": "Custom", "class": "no_such_module:Model"})
    resources = [coded("poet", "poets:poet"), coded("bard", "broken:bard"), own_model, agent("echo", ECHO)]

    async with NodeProcess(tmp_path, resources, code_dir=code) as node:
        ready, _ = await get(f"{node.url}/readyz")
        card = await get(f"{node.url}/agents/poet/.well-known/agent-card.json")
        poet = await ask(node.url, "Home", agent="poet")
        echo = await ask(node.url, "Home", agent="echo")
        bard = await ask(node.url, "Home", agent="bard")
        custom = await ask(node.url, "Home", agent="custom")
        known = await get(f"{node.url}/isek/nodes")

    assert ready == 200
    assert poet[1]["response"] == "Home on 5 feet"
    assert (card[1]["name"], card[1]["description"]) == ("poet", "Writes verse")
    assert echo[1]["response"] == "Home"
    where = f"{code}/poets/broken.py, line 2"
    assert bard[0] == 503
    assert bard[1]["error"]["message"] == (
        f"bard.default cannot run: {where}: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert custom[1]["error"]["code"] == "AgentInvalid"
    assert {each["name"] for each in known[1]["nodes"][0]["agents"]} == {"poet", "echo"}
    assert f"bard.default cannot run: {where}" in node.text
    assert "Traceback" not in node.text


async def test_a_node_that_can_run_nothing_is_never_ready_and_tells_its_mesh(tmp_path: Path, center: str) -> None:
    code = write_code(tmp_path, broken="\nimport no_such_module\n")
    resources = [coded("bard", "broken:bard")]
    lost = NodeProcess(
        tmp_path, resources, code_dir=code, ready=False, registry_url=center, mesh_id="lost", config_hash="abc"
    )

    async with lost as node:

        async def told() -> list[list[str]]:
            _, listing = await get(f"{center}/keys?prefix={broken_prefix('lost')}")
            items: list[list[str]] = listing["items"]
            return items

        ((key, value),) = await until(told, what="the mesh knows")
        ready = await get(f"{node.url}/readyz")
        health, _ = await get(f"{node.url}/healthz")

    record = BrokenRecord.decode(key, value.encode())
    assert (record.node_id, record.config_hash) == ("node.default", "abc")
    assert [(each.kind, each.name) for each in record.agents] == [("IsekAgent", "bard")]
    assert "broken.py, line 2: ModuleNotFoundError" in record.agents[0].message
    assert (ready[0], ready[1]["error"]["code"]) == (503, "AgentInvalid")
    assert health == 200
    assert await told() == []
