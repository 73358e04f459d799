"""Who gets an answer: agents over real sidecars, and callers from outside with and without tokens."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from isek.trace import Trace

from tests.support.node_process import NodeProcess, agent, ask, scripted, team
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

FROM_NEWSROOM = {"agents": {"from": "Selected", "allow": [{"name": "newsroom"}, {"name": "slow"}]}}
MEMBERS_ONLY = {**FROM_NEWSROOM, "outside": {"from": "Nobody"}}
RESEARCHER = agent("researcher", scripted({"text": "facts on {input}"}), access=MEMBERS_ONLY)
CLERK = agent("clerk", scripted({"text": "filed {input}"}), access=FROM_NEWSROOM)
NEWSROOM = team("newsroom", "clerk", "researcher")
RIVAL = team("rival", "researcher")
RIVAL_NEXT_DOOR = team("rival-next-door", "clerk")
THINKER = agent("thinker", scripted({"delayMilliseconds": 2000}, {"text": "thought of {input}"}))
SLOW = team("slow", "thinker", "researcher")
TRAMP = agent("tramp", {"provider": "Echo"})
PLACES = {
    "desk.default": [NEWSROOM, RIVAL, RIVAL_NEXT_DOOR, CLERK],
    "library.default": [RESEARCHER],
    "street.default": [TRAMP],
}


@pytest.fixture(scope="module")
async def peers(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[dict[str, PeerNode]]:
    folder = tmp_path_factory.mktemp("peers")
    async with AsyncExitStack() as stack:
        peers = {
            node_id: PeerNode(
                folder / node_id, resources, node_id=node_id, registry_url=center, mesh_id="default.guarded"
            )
            for node_id, resources in PLACES.items()
        }
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        yield peers


@pytest.mark.skipif(not sidecar_bundle().exists(), reason="the sidecar is not built: run `npm run build` in p2p/")
class TestPeers:
    async def test_who_is_allowed_is_answered_and_the_trace_says_who_asked(self, peers: dict[str, PeerNode]) -> None:
        _, body = await ask(peers["desk.default"].node.url, "tea", agent="newsroom")

        assert body["response"] == "facts on filed tea"
        trace = Trace.model_validate(body["metadata"]["isek.io/trace"])
        assert [(child.agent, child.path, child.caller) for child in trace.children] == [
            ("clerk.default", "local", "newsroom.default"),
            ("researcher.default", "libp2p", "newsroom.default"),
        ]
        assert trace.caller is None
        library = peers["library.default"].node
        await until(lambda: said(library, 'caller="newsroom.default"'), what="the log says who asked")

    @pytest.mark.parametrize(("asker", "asked"), [("rival", "researcher"), ("rival-next-door", "clerk")])
    async def test_who_is_not_allowed_is_refused_on_the_same_node_too(
        self, peers: dict[str, PeerNode], asker: str, asked: str
    ) -> None:
        _, body = await ask(peers["desk.default"].node.url, "tea", agent=asker)

        assert f"Forbidden: {asker}.default may not call {asked}.default" in body["error"]["message"]

    async def test_a_peer_that_says_it_is_somebody_elses_agent_is_not_believed(
        self, peers: dict[str, PeerNode]
    ) -> None:
        desk, library, street = (peers[name] for name in PLACES)
        forged = {
            "Isek-Caller": "newsroom.default",
            "Isek-Peer-Id": desk.peer_id,
            "Isek-Token": library.sidecar.token_file.read_text().strip(),
        }

        assert await through(desk, library, "researcher", {"Isek-Caller": "newsroom.default"}) == (200, "facts on tea")
        assert await through(street, library, "researcher", forged) == (
            403,
            "a node of namespace 'default' may not call researcher.default",
        )

    async def test_who_comes_past_the_sidecar_is_no_peer_whatever_they_say(self, peers: dict[str, PeerNode]) -> None:
        said = {"Isek-Caller": "newsroom.default", "Isek-Peer-Id": peers["desk.default"].peer_id, "Isek-Token": "x"}

        status, body = await ask(peers["library.default"].node.url, "tea", agent="researcher", headers=said)

        assert (status, body["error"]["code"]) == (403, "Forbidden")
        assert "is for agents of its mesh alone" in body["error"]["message"]

    async def test_a_peer_whose_record_has_expired_is_refused(
        self, peers: dict[str, PeerNode], center: str, tmp_path: Path
    ) -> None:
        gone = PeerNode(
            tmp_path / "gone", [TRAMP], node_id="gone.default", registry_url=center, mesh_id="default.guarded",
            registry_ttl_seconds=5,
        )  # fmt: skip
        desk = peers["desk.default"]
        async with gone:
            assert (await through(gone, desk, "newsroom", {}))[0] == 200
            gone.node.signal(signal.SIGKILL)

            async def forgotten() -> bool:
                status, _ = await through(gone, desk, "newsroom", {})
                return status == 403

            await until(forgotten, what="the record has expired", within=30)

    async def test_what_runs_when_its_node_ends_may_ask_on(
        self, peers: dict[str, PeerNode], center: str, tmp_path: Path
    ) -> None:
        ending = PeerNode(
            tmp_path / "ending", [SLOW, THINKER], node_id="ending.default", registry_url=center,
            mesh_id="default.guarded",
        )  # fmt: skip
        async with ending:
            asking = asyncio.create_task(ask(ending.node.url, "tea", agent="slow"))
            await until(lambda: running(ending.node), what="the team runs")

            ending.node.signal(signal.SIGTERM)
            assert await ending.node.exit_code(within=60) == 0

        status, body = await asking
        assert (status, body["response"]) == (200, "facts on thought of tea")


async def through(by: PeerNode, to: PeerNode, agent_name: str, headers: dict[str, str]) -> tuple[int, str]:
    """Ask by the sidecar of ``by``, as whoever has the token of its API can; its status, and the answer or error."""
    query = {"p2p_address": to.sidecar.p2p_address, "path": f"/agents/{agent_name}"}
    sent = {**headers, "Authorization": f"Bearer {by.sidecar.token_file.read_text().strip()}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{by.sidecar.api_url}/call_peer", params=query, json={"message": "tea"}, headers=sent
        ) as response,
    ):
        body = json.loads(await response.read())
        return response.status, body["error"]["message"] if "error" in body else body["response"]


async def said(node: NodeProcess, what: str) -> bool:
    return what in node.text


async def running(node: NodeProcess) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        return 'isek_running_tasks{agent="thinker"} 1.0' in await response.text()


CI = "ci-0123456789abcdef"
ELSE = "somebody-else-0123456789"
WRITER = agent(
    "writer",
    {"provider": "Echo"},
    access={"outside": {"from": "Authenticated", "tokensSecret": {"name": "callers"}}},
)
PUBLIC = agent("public", {"provider": "Echo"})
CHAT = {"model": "writer", "messages": [{"role": "user", "content": "tea"}]}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "tea"}]}
SEND = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": MESSAGE}}
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "plain form": ("POST", "/agents/writer", {"message": "tea"}),
    "A2A": ("POST", "/agents/writer", SEND),
    "OpenAI": ("POST", "/v1/chat/completions", CHAT),
    "a model": ("GET", "/v1/models/writer", None),
    "give up": ("DELETE", "/agents/writer", None),
}
OF_THE_ONLY_ONE: dict[str, tuple[str, str, Any]] = {
    "the only agent": ("POST", "/", {"message": "tea"}),
    "MCP": ("POST", "/mcp", INITIALIZE),
    "models": ("GET", "/v1/models", None),
    "nodes": ("GET", "/isek/nodes", None),
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[NodeProcess, NodeProcess, Path]]:
    """One with a guarded agent alone, one with another beside it, and where the tokens are."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "callers").mkdir()
    (folder / "callers" / "ci").write_text(CI)
    (folder / "callers" / "else").write_text(ELSE)
    alone = NodeProcess(folder, [WRITER], node_id="alone.default", access_dir=folder)
    both = NodeProcess(folder, [WRITER, PUBLIC], node_id="both.default", access_dir=folder)
    async with alone, both:
        yield alone, both, folder / "callers"


class TestOutside:
    @pytest.mark.parametrize("name", [*REQUESTS, *OF_THE_ONLY_ONE])
    async def test_whatever_is_spoken_a_token_is_needed(
        self, nodes: tuple[NodeProcess, NodeProcess, Path], name: str
    ) -> None:
        request = (REQUESTS | OF_THE_ONLY_ONE)[name]
        for authorization in (None, "Bearer wrong-0123456789abcdef"):
            status, headers, body = await call(nodes[0], *request, authorization=authorization)
            assert status == 401
            assert headers["WWW-Authenticate"].startswith('Bearer realm="isek"')
            assert "Unauthorized" in body

        status, _, _ = await call(nodes[0], *request, authorization=f"Bearer {CI}")

        assert status in {200, 204}

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/mcp"])
    async def test_who_may_ask_nobody_is_refused_before_the_body_has_come(
        self, nodes: tuple[NodeProcess, NodeProcess, Path], path: str
    ) -> None:
        async def without_end() -> AsyncIterator[bytes]:
            yield b'{"model": "writer", "input": "'
            await asyncio.Event().wait()

        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session,
            session.post(
                nodes[0].url + path, data=without_end(), headers={"Content-Type": "application/json"}
            ) as response,
        ):
            assert response.status == 401

    async def test_lists_show_those_that_the_caller_may_ask(self, nodes: tuple[NodeProcess, NodeProcess, Path]) -> None:
        async def listed(authorization: str | None) -> list[str]:
            _, _, body = await call(nodes[1], "GET", "/v1/models", None, authorization=authorization)
            return [each["id"] for each in json.loads(body)["data"]]

        assert await listed(None) == ["public"]
        assert sorted(await listed(f"Bearer {CI}")) == ["public", "writer"]

    async def test_the_trace_says_who_called(self, nodes: tuple[NodeProcess, NodeProcess, Path]) -> None:
        _, body = await ask(nodes[0].url, "tea", headers={"Authorization": f"Bearer {CI}"})

        assert body["metadata"]["isek.io/trace"]["caller"] == "token:ci"
        assert CI not in nodes[0].text

    async def test_a_response_is_there_for_its_caller_alone(self, nodes: tuple[NodeProcess, NodeProcess, Path]) -> None:
        mine, other = f"Bearer {CI}", f"Bearer {ELSE}"
        told = {"model": "writer", "input": "a secret"}
        _, _, body = await call(nodes[1], "POST", "/v1/responses", told, authorization=mine)
        kept = json.loads(body)["id"]

        async def goes_on(model: str, authorization: str | None) -> tuple[int, str]:
            asked = {"model": model, "input": "on", "previous_response_id": kept}
            status, _, body = await call(nodes[1], "POST", "/v1/responses", asked, authorization=authorization)
            return status, body

        for authorization, status in ((None, 401), (other, 400)):
            refused, said = await goes_on("public", authorization)
            assert refused == status
            assert "a secret" not in said
        for authorization, status in ((None, 401), (other, 404), (mine, 200)):
            answered, _, _ = await call(nodes[1], "GET", f"/v1/responses/{kept}", None, authorization=authorization)
            assert answered == status
        assert (await goes_on("public", mine))[0] == 200

    async def test_tokens_come_and_go_without_a_restart(self, nodes: tuple[NodeProcess, NodeProcess, Path]) -> None:
        alone, _, callers = nodes

        async def status(token: str) -> int:
            return (await ask(alone.url, "tea", headers={"Authorization": f"Bearer {token}"}))[0]

        (callers / "robot").write_text("robot-0123456789abcdef\n")
        await until(lambda: is_(status("robot-0123456789abcdef"), 200), what="the new token is good")
        (callers / "robot").unlink()
        await until(lambda: is_(status("robot-0123456789abcdef"), 401), what="the token is good no more")

    async def test_a_card_says_whether_a_token_is_needed(self, nodes: tuple[NodeProcess, NodeProcess, Path]) -> None:
        async def card(name: str) -> Any:
            _, _, body = await call(nodes[1], "GET", f"/agents/{name}/.well-known/agent-card.json", None)
            return json.loads(body)

        guarded = await card("writer")
        assert guarded["securitySchemes"]["bearer"]["httpAuthSecurityScheme"] == {"scheme": "Bearer"}
        assert [list(each["schemes"]) for each in guarded["securityRequirements"]] == [["bearer"]]
        assert "securitySchemes" not in await card("public")

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/agents/writer/.well-known/agent-card.json"])
    async def test_how_the_node_is_and_how_to_get_in_anyone_may_read(
        self, nodes: tuple[NodeProcess, NodeProcess, Path], path: str
    ) -> None:
        assert (await call(nodes[0], "GET", path, None))[0] == 200


async def is_(value: Any, wanted: int) -> bool:
    return bool(await value == wanted)


async def call(
    node: NodeProcess, method: str, path: str, body: Any, *, authorization: str | None = None
) -> tuple[int, dict[str, str], str]:
    sent = {"Accept": "application/json, text/event-stream", "A2A-Version": "1.0"}
    sent |= {} if authorization is None else {"Authorization": authorization}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, node.url + path, json=body, headers=sent) as response,
    ):
        return response.status, dict(response.headers), await response.text()
