"""The card for callers who are known, by each binding, with the official client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import httpx
import pytest
from a2a.client import Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import AgentCard, GetExtendedAgentCardRequest
from a2a.utils.errors import A2AError, UnsupportedOperationError
from isek.protocol.a2a_card import holds, to_json

from tests.support.a2a import BINDINGS
from tests.support.node_process import NodeProcess, agent, team

TOKEN = "a-token-that-nobody-guesses-0123456789"
GUARDED = {"outside": {"from": "Authenticated", "tokensSecret": {"name": "callers"}}}
each_binding = pytest.mark.parametrize("binding", [name for name, version in BINDINGS if version == "1.0"])


@pytest.fixture(scope="module")
async def guarding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    folder: Path = tmp_path_factory.mktemp("guarding")
    (folder / "callers").mkdir()
    (folder / "callers" / "alice").write_text(TOKEN)
    agents = [
        agent("counter", {"provider": "Echo"}, access=GUARDED, tools=[{"builtin": "calculator"}]),
        agent("open", {"provider": "Echo"}),
        team("crew", "counter", "open", access=GUARDED),
    ]
    async with NodeProcess(folder, agents, grpc_port=0, access_dir=folder) as node:
        yield node


@asynccontextmanager
async def client_of(node: NodeProcess, name: str, binding: str) -> AsyncIterator[tuple[Client, AgentCard]]:
    async with httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        card = await A2ACardResolver(http, f"{node.url}/agents/{name}").get_agent_card()
        public = AgentCard()
        public.CopyFrom(card)
        config = ClientConfig(
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[binding],
        )
        card.capabilities.extended_agent_card = True
        client = ClientFactory(config).create(card)
        try:
            yield client, public
        finally:
            if binding == "GRPC":
                await client.close()


async def extended(client: Client, token: str = TOKEN) -> AgentCard:
    shown = ClientCallContext(service_parameters={"authorization": f"Bearer {token}"})
    return await client.get_extended_agent_card(GetExtendedAgentCardRequest(), context=shown)


@each_binding
async def test_who_is_known_is_told_of_an_agents_tools(guarding: NodeProcess, binding: str) -> None:
    async with client_of(guarding, "counter", binding) as (client, public):
        told = await extended(client)

    assert public.capabilities.extended_agent_card
    assert [skill.id for skill in public.skills] == ["counter"]
    assert [skill.id for skill in told.skills] == ["counter", "tool:calculator"]
    assert told.signatures


@each_binding
async def test_the_extended_card_is_kept_from_whoever_shows_no_token(guarding: NodeProcess, binding: str) -> None:
    async with client_of(guarding, "counter", binding) as (client, _):
        with pytest.raises(A2AError):
            await extended(client, "nobody-0123456789abcdef")


async def test_and_of_the_members_of_a_team_over_the_way_that_was_taken(guarding: NodeProcess) -> None:
    async with client_of(guarding, "crew", "JSONRPC") as (client, _):
        told = await extended(client)

    assert [skill.id for skill in told.skills] == ["crew", "member:counter", "member:open"]
    assert told.supported_interfaces[0].url == f"{guarding.url}/agents/crew"


async def test_the_extended_card_is_signed_as_well(guarding: NodeProcess) -> None:
    async with (
        client_of(guarding, "counter", "JSONRPC") as (client, _),
        httpx.AsyncClient() as http,
    ):
        told = await extended(client)
        keys = (await http.get(f"{guarding.url}/.well-known/jwks.json")).json()["keys"]
        nodes = (await http.get(f"{guarding.url}/isek/nodes", headers={"Authorization": f"Bearer {TOKEN}"})).json()

    assert len(keys) == 1
    assert holds(to_json(told), nodes["nodes"][0]["cardKey"])


@each_binding
async def test_where_nobody_is_known_there_is_none(guarding: NodeProcess, binding: str) -> None:
    async with client_of(guarding, "open", binding) as (client, public):
        assert not public.capabilities.extended_agent_card
        with pytest.raises(UnsupportedOperationError, match="no extended card"):
            await extended(client)


async def test_the_card_says_that_a_token_is_needed(guarding: NodeProcess) -> None:
    async with client_of(guarding, "counter", "JSONRPC") as (_, public):
        scheme = public.security_schemes["bearer"].http_auth_security_scheme

    assert scheme.scheme == "Bearer"
    assert [list(each.schemes) for each in public.security_requirements] == [["bearer"]]


async def test_no_traceback_reached_the_log(guarding: NodeProcess) -> None:
    assert "Traceback" not in guarding.text
