"""An MCP server that becomes something else than it was when it was trusted."""

import pytest
from isek import IsekAgent, MCPToolkit, Tool, ToolError
from isek.processes.ports import free_port
from isek.tools import mcp

from tests.support.asking import context
from tests.support.mcp_server import serving
from tests.support.recording_model import RecordingModel

TEA = {"items": [{"name": "tea", "count": 1}]}


async def opened(toolkit: MCPToolkit) -> dict[str, Tool]:
    return {tool.schema.name: tool for tool in await toolkit.open()}


async def test_a_tool_that_changed_while_the_server_was_away_is_not_called_any_more() -> None:
    port = free_port()
    toolkit = MCPToolkit(f"http://127.0.0.1:{port}/mcp")
    try:
        async with serving(port):
            tools = await opened(toolkit)
            accepted = toolkit.pins["order"]
            assert await tools["order"].call(TEA, context()) == "1 things, slow"
        with pytest.raises(ToolError, match=r"could not be asked|went away|cannot be reached"):
            await tools["order"].call(TEA, context())
        async with serving(port, turned=True):
            with pytest.raises(ToolError, match="'order' has changed since it was accepted"):
                await tools["order"].call(TEA, context())

            assert "order" not in await opened(toolkit)
            assert await tools["secret"].call({}, context()) == "none"
            [changed] = toolkit.changed
            assert f"http://127.0.0.1:{port}/mcp has changed tool 'order'" in changed
            assert "set order: sha256:" in changed
        with pytest.raises(ToolError, match=r"could not be asked|went away|cannot be reached"):
            await tools["secret"].call({}, context())
        async with serving(port):
            assert await tools["order"].call(TEA, context()) == "1 things, slow"
            assert toolkit.pins["order"] == accepted
    finally:
        await toolkit.aclose()


async def test_a_tool_that_changes_while_the_server_runs_is_offered_to_models_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp, "LOOK_SECONDS", 0)
    port = free_port()
    async with serving(port):
        toolkit = MCPToolkit(f"http://127.0.0.1:{port}/mcp")
        model = RecordingModel("one", "two")
        agent = IsekAgent(model=model, tools=[toolkit])
        try:
            await agent.arun("one")
            before = set(model.offered)
            await (await opened(toolkit))["turn"].call({}, context())
            await agent.arun("two")
        finally:
            await agent.aclose()

    after = set(model.offered)
    assert (before - after, after - before) == ({"order"}, {"pay"})


async def test_pins_that_are_given_say_what_a_tool_has_to_be_from_the_beginning() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    async with serving(port):
        first = MCPToolkit(url)
        await first.open()
        pins = first.pins
        await first.aclose()

    async with serving(port, turned=True):
        later, allowing = MCPToolkit(url, pins=pins), MCPToolkit(url, pins=pins, allow=["secret", "pay"])
        try:
            assert (await opened(later)).keys().isdisjoint({"order", "pay"})
            assert "secret" in await opened(later)
            assert sorted(each.split("/mcp ")[1].split(",")[0] for each in later.changed) == [
                "has a new tool 'pay'",
                "has changed tool 'order'",
            ]
            assert (await opened(allowing)).keys() == {"secret", "pay"}
        finally:
            await later.aclose()
            await allowing.aclose()


async def test_a_tool_that_is_pinned_and_gone_is_told() -> None:
    port = free_port()
    async with serving(port):
        toolkit = MCPToolkit(f"http://127.0.0.1:{port}/mcp", pins={"sell": "sha256:" + "0" * 64})
        try:
            assert not await opened(toolkit)
            assert any("has no tool 'sell' any more" in each for each in toolkit.changed)
        finally:
            await toolkit.aclose()
