"""Answers that are objects, as callers take them, by each binding and version, with the official client."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from a2a.client import Client
from a2a.types import Part, SendMessageConfiguration
from google.protobuf.json_format import MessageToDict

from tests.support.a2a import BINDINGS, a2a_client, says, send, stream
from tests.support.node_process import NodeProcess, agent

FORECASTER = """
from dataclasses import dataclass
from isek import IsekAgent, ScriptedModel
from isek.api.model import ScriptTurn

@dataclass
class Forecast:
    city: str
    degrees: float
    rain: bool

sunny = {"city": "Zürich", "degrees": 21.5, "rain": False}
forecaster = IsekAgent("forecaster", model=ScriptedModel([ScriptTurn(output=sunny)]), output_type=Forecast)
"""
SUNNY = {"city": "Zürich", "degrees": 21.5, "rain": False}
IN_WORDS = '{"city": "Zürich", "degrees": 21.5, "rain": false}'
each_interface = pytest.mark.parametrize("interface", BINDINGS, ids=lambda each: f"{each[0]} {each[1]}")


@pytest.fixture(scope="module")
async def forecasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    folder: Path = tmp_path_factory.mktemp("forecasting")
    (folder / "code" / "weather").mkdir(parents=True)
    (folder / "code" / "weather" / "weather.py").write_text(FORECASTER)
    code = {"configMapRef": {"name": "weather"}, "entrypoint": "weather:forecaster"}
    forecaster = {**agent("forecaster", {}), "spec": {"code": code}}
    agents = [forecaster, agent("echo", {"provider": "Echo"})]
    async with NodeProcess(folder, agents, grpc_port=0, code_dir=folder / "code") as node:
        yield node


def taking(*modes: str) -> SendMessageConfiguration:
    return SendMessageConfiguration(accepted_output_modes=modes)


def what_is_said(part: Part) -> tuple[str, Any]:
    """The media type, and the text or the data."""
    return part.media_type, part.text if part.HasField("text") else MessageToDict(part.data)


async def answered(client: Client, *modes: str) -> list[tuple[str, Any]]:
    task = await send(client, says("tomorrow?", configuration=taking(*modes)))
    [artifact] = task.artifacts
    return [what_is_said(part) for part in artifact.parts]


@each_interface
async def test_an_object_comes_as_data_or_as_text_or_as_both_as_the_caller_takes_it(
    forecasting: NodeProcess, interface: tuple[str, str]
) -> None:
    in_words, data = ("text/plain", IN_WORDS), ("application/json", SUNNY)
    if interface[1] == "0.3":  # whose parts of data and text have no media type
        in_words, data = ("", IN_WORDS), ("", SUNNY)
    async with a2a_client(f"{forecasting.url}/agents/forecaster", *interface, streaming=False) as client:
        assert await answered(client, "application/json") == [data]
        assert await answered(client, "text/*;q=0.5") == [in_words]
        assert await answered(client) == [in_words, data]
        assert await answered(client, "*/*") == [in_words, data]
        assert await answered(client, "video/mp4") == [in_words, data]


@each_interface
async def test_in_a_stream_the_object_takes_the_place_of_its_pieces(
    forecasting: NodeProcess, interface: tuple[str, str]
) -> None:
    async with a2a_client(f"{forecasting.url}/agents/forecaster", *interface) as client:
        told = await stream(client, says("tomorrow?", configuration=taking("application/json")))

    last = [each.artifact_update for each in told if each.HasField("artifact_update")][-1]
    assert not last.append
    assert [what_is_said(part)[1] for part in last.artifact.parts] == [SUNNY]


async def test_an_answer_in_words_stays_one_whatever_is_taken(forecasting: NodeProcess) -> None:
    async with a2a_client(f"{forecasting.url}/agents/echo", streaming=False) as client:
        task = await send(client, says('{"a": 1}', configuration=taking("application/json")))

    assert [what_is_said(part) for part in task.artifacts[0].parts] == [("text/plain", '{"a": 1}')]
