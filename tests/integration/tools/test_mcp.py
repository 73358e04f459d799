import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from isek import IsekAgent, MCPToolkit, RiskLevel, RunError, Tool, ToolError
from isek.processes.ports import free_port
from isek.sync import wait_for

from tests.support.asking import context
from tests.support.mcp_server import SERVER, serving
from tests.support.recording_model import RecordingModel, calls

WITHOUT_END = """
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if "id" not in said:
        continue
    answer = {"error": {"code": -32601, "message": "no"}}
    if said["method"] == "initialize":
        about = {"name": "shop", "version": "1"}
        version = said["params"]["protocolVersion"]
        answer = {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}}
    elif said["method"] == "tools/list":
        answer = {"result": {"tools": [], "nextCursor": "again"}}
    print(json.dumps({"jsonrpc": "2.0", "id": said["id"], **answer}), flush=True)
"""
TWO_TEAS = {"items": [{"name": "tea", "count": 2}]}


def started(**about: Any) -> MCPToolkit:
    return MCPToolkit(command=SERVER, env={"PYTHONPATH": os.pathsep.join(sys.path), "SHOP_SECRET": "s3cret"}, **about)


async def opened(toolkit: MCPToolkit) -> dict[str, Tool]:
    return {tool.schema.name: tool for tool in await toolkit.open()}


async def test_the_tools_of_a_started_server_are_called_with_their_full_schema() -> None:
    toolkit = started()
    try:
        tools = await opened(toolkit)
        order = tools["order"].schema

        assert order.description == "Order something."
        assert order.parameters["properties"]["items"] == {
            "type": "array",
            "title": "Items",
            "items": {"$ref": "#/$defs/Item"},
        }
        assert order.parameters["$defs"]["Item"]["properties"]["count"]["description"] == "how many"
        assert await tools["order"].call(TWO_TEAS, context()) == "2 things, slow"
        assert await tools["secret"].call({}, context()) == "s3cret"
        with pytest.raises(ToolError, match=r"items\.0\.count: 0 is less than the minimum of 1"):
            await tools["order"].call({"items": [{"name": "tea", "count": 0}]}, context())
        with pytest.raises(ToolError, match="Error executing tool fail"):
            await tools["fail"].call({"reason": "no"}, context())
    finally:
        await toolkit.aclose()


async def test_a_tool_is_as_risky_as_its_server_says_and_called_as_models_can() -> None:
    toolkit = started(allow=["shop.prices", "order", "close"])
    try:
        tools = await opened(toolkit)

        risks = {name: tool.risk_level for name, tool in tools.items()}
        assert risks == {"order": RiskLevel.MEDIUM, "shop_prices": RiskLevel.LOW, "close": RiskLevel.HIGH}
        assert await tools["shop_prices"].call({}, context()) == "all is free"
    finally:
        await toolkit.aclose()


async def test_whoever_knows_better_says_how_risky_a_server_is() -> None:
    toolkit = started(allow=["order"], risk_level=RiskLevel.HIGH)
    try:
        assert (await opened(toolkit))["order"].risk_level is RiskLevel.HIGH
    finally:
        await toolkit.aclose()


async def test_a_started_server_that_ends_is_started_again() -> None:
    toolkit = started(allow=["order", "end"])
    try:
        tools = await opened(toolkit)
        assert list(tools) == ["order", "end"]
        with pytest.raises(ToolError, match=r"could not be asked|went away"):
            await tools["end"].call({}, context())

        assert await tools["order"].call(TWO_TEAS, context()) == "2 things, slow"
    finally:
        await toolkit.aclose()


async def test_a_server_behind_a_url_goes_away_and_comes_back() -> None:
    port = free_port()
    toolkit = MCPToolkit(f"http://127.0.0.1:{port}/mcp", timeout_seconds=20)
    try:
        async with serving(port) as server:
            tools = await opened(toolkit)
            assert await tools["order"].call(TWO_TEAS, context()) == "2 things, slow"
            server.kill()
            await server.wait()
            with pytest.raises(ToolError, match=r"could not be asked|cannot be reached|went away"):
                await tools["order"].call(TWO_TEAS, context())

        async with serving(port):
            assert await tools["order"].call(TWO_TEAS, context()) == "2 things, slow"
    finally:
        await toolkit.aclose()


async def test_a_tool_that_hangs_is_cut_off_and_the_others_go_on() -> None:
    port = free_port()
    async with serving(port):
        toolkit = MCPToolkit(f"http://127.0.0.1:{port}/mcp")
        try:
            tools = await opened(toolkit)
            toolkit.timeout_seconds = 0.5
            with pytest.raises(ToolError, match=r"'hang' did not answer within 0\.5 s"):
                await tools["hang"].call({}, context())
            toolkit.timeout_seconds = 20

            assert await tools["order"].call(TWO_TEAS, context()) == "2 things, slow"
        finally:
            await toolkit.aclose()


async def test_a_tool_that_is_allowed_and_not_there_is_named() -> None:
    toolkit = started(allow=["order", "pay"])
    try:
        with pytest.raises(RunError, match="has no tool 'pay'; it has: close, end, fail, hang, order, secret"):
            await toolkit.open()
    finally:
        await toolkit.aclose()


async def test_a_list_of_tools_without_an_end_is_given_up() -> None:
    toolkit = MCPToolkit(command=[sys.executable, "-c", WITHOUT_END])
    try:
        with pytest.raises(RunError, match="has more than 1000 pages of tools"):
            await toolkit.open()
    finally:
        await toolkit.aclose()


async def test_a_server_that_cannot_be_reached_ends_the_run_with_an_error() -> None:
    toolkit = MCPToolkit(f"http://127.0.0.1:{free_port()}/mcp")

    result = await IsekAgent(model=RecordingModel("never"), tools=[toolkit]).respond("hi", context())

    assert [error.code for error in result.errors] == ["ToolsUnavailable"]


def test_a_script_may_use_the_server_on_one_loop_after_the_other() -> None:
    toolkit = started(allow=["order"])
    order = calls(("order", '{"items": [{"name": "tea", "count": 3}]}'))
    model = RecordingModel(order, "ordered", order, "ordered", order, "ordered", order, "ordered")
    agent = IsekAgent(model=model, tools=[toolkit])

    with ThreadPoolExecutor() as threads:
        for _ in range(2):
            threads.submit(asyncio.run, agent.arun("three teas")).result(60)
        agent.run("three teas")
        threads.submit(asyncio.run, agent.arun("three teas")).result(60)
    wait_for(agent.aclose())

    assert [asked[-1].content for asked in model.conversations[1::2]] == ["3 things, slow"] * 4


def test_an_agent_of_a_script_uses_the_server() -> None:
    toolkit = started(allow=["order"])
    order = '{"items": [{"name": "tea", "count": 3}], "speed": "fast"}'
    model = RecordingModel(calls(("order", order)), "ordered")

    agent = IsekAgent(model=model, tools=[toolkit])
    assert agent.run("three teas").payload == "ordered"
    wait_for(agent.aclose())

    assert model.conversations[-1][-1].content == "3 things, fast"


async def test_runs_that_are_the_first_at_the_same_time_start_the_server_once(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    counting = ("sh", "-c", 'echo started >> "$0"; exec "$@"', str(starts), *SERVER)
    toolkit = MCPToolkit(command=counting, env={"PYTHONPATH": os.pathsep.join(sys.path)}, allow=["order"])
    agent = IsekAgent(model=RecordingModel("one", "two"), tools=[toolkit])
    try:
        results = await asyncio.gather(agent.arun("one"), agent.arun("two"))
    finally:
        await agent.aclose()

    assert not any(result.failed for result in results)
    assert starts.read_text().split() == ["started"]


def test_a_toolkit_needs_one_way_to_its_server() -> None:
    with pytest.raises(ValueError, match="a url, or a command"):
        MCPToolkit()


def test_a_command_is_not_taken_letter_by_letter() -> None:
    with pytest.raises(TypeError, match=r"a list such as \['npx', 'server'\]"):
        MCPToolkit(command="npx server")
