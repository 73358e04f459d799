"""Calls that are cut off, told again and given up, between real nodes with real sidecars: nothing runs twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.openai_server import OpenAIServer
from tests.support.sidecar import PeerNode
from tests.support.waiting import until


def asking(name: str, whom: str) -> dict[str, Any]:
    """An agent that hands each message on."""
    call = {"name": whom, "arguments": {"message": "{input}"}}
    return agent(name, scripted({"toolCalls": [call]}, {"text": "asked"}), tools=[{"agent": {"name": whom}}])


@dataclass
class Chain:
    """``first`` asks ``second`` asks ``third``, each on a node of its own, and the third's model waits for the test."""

    model: OpenAIServer
    nodes: dict[str, PeerNode]

    def ask(self, whom: str = "first", **more: Any) -> "asyncio.Task[tuple[int, dict[str, Any]]]":
        return asyncio.create_task(ask(self.nodes[whom].node.url, "go", agent=whom, **more))

    async def runs(self, at_least: int = 1) -> None:
        await until(lambda: len(self.model.requests) >= at_least, what="the model is asked", within=20)


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(OpenAIServer({"m": [{"text": "answered", "held": True}]}))
        third = agent("third", {"provider": "OpenAI", "name": "m", "baseURL": model.url})
        places = {"first": asking("first", "second"), "second": asking("second", "third"), "third": third}
        peers = {
            name: PeerNode(
                folder / name, [hosted], node_id=f"{name}.default", registry_url=center, mesh_id="default.chain"
            )
            for name, hosted in places.items()
        }
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers.values()))
        yield Chain(model, peers)


@pytest.fixture
async def chain(nodes: Chain) -> Chain:
    """The chain, at rest, all of whom know each other."""
    nodes.model.release.set()

    async def answers() -> bool:
        return (await nodes.ask())[0] == 200

    await until(answers, what="the chain answers", within=30)
    nodes.model.release.clear()
    nodes.model.requests.clear()
    nodes.model.given_up = 0
    return nodes


async def test_who_goes_away_takes_the_whole_chain_along(chain: Chain) -> None:
    call = chain.ask()
    await chain.runs()

    call.cancel()

    await until(lambda: chain.model.given_up == 1, what="the third's model is given up", within=5)
    for peer in chain.nodes.values():
        await until(lambda node=peer.node: _is_idle(node), what="the node is idle", within=5)  # type: ignore[misc]


@pytest.mark.parametrize("whose", ["second", "third"])
async def test_a_call_outlives_the_sidecars_that_carry_it_and_runs_once(chain: Chain, whose: str) -> None:
    call = chain.ask("second")
    await chain.runs()

    await chain.nodes[whose].sidecar.kill()
    await chain.nodes[whose].sidecar.start_again()
    chain.model.release.set()

    status, body = await call
    assert (status, body["response"]) == (200, "asked")
    assert len(chain.model.requests) == 1


async def test_a_request_that_is_sent_again_waits_and_is_answered_from_memory(chain: Chain) -> None:
    key = {"Idempotency-Key": f"k-{id(chain)}"}
    calls = [chain.ask("third", headers=key) for _ in range(3)]
    await chain.runs()
    chain.model.release.set()

    told = [*await asyncio.gather(*calls), await chain.ask("third", headers=key)]

    assert [(status, body["response"]) for status, body in told] == [(200, "answered")] * 4
    assert len({body["metadata"]["isek.io/trace"]["startedAt"] for _, body in told}) == 1
    assert len(chain.model.requests) == 1


async def test_a_key_is_refused_for_another_question_and_when_it_is_none(chain: Chain) -> None:
    chain.model.release.set()
    key = {"Idempotency-Key": "k-other"}
    await chain.ask("third", headers=key)

    status, body = await ask(chain.nodes["third"].node.url, "something else", agent="third", headers=key)
    assert (status, body["error"]["code"]) == (422, "IdempotencyKeyReused")
    status, body = await ask(chain.nodes["third"].node.url, "go", agent="third", headers={"Idempotency-Key": "a b"})
    assert (status, body["error"]["code"]) == (400, "InvalidRequest")


async def test_a_run_whose_caller_was_cut_off_is_there_for_its_replay(chain: Chain) -> None:
    key = {"Idempotency-Key": "k-cut"}
    call = chain.ask("third", headers=key)
    await chain.runs()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    again = chain.ask("third", headers=key)
    chain.model.release.set()

    assert (await again)[1]["response"] == "answered"
    assert (len(chain.model.requests), chain.model.given_up) == (1, 0)


async def test_a_call_that_is_given_up_by_its_key_ends_at_once(chain: Chain) -> None:
    key = {"Idempotency-Key": "k-given-up"}
    call = chain.ask("third", headers=key)
    await chain.runs()

    async with (
        aiohttp.ClientSession() as session,
        session.delete(f"{chain.nodes['third'].node.url}/agents/third", headers=key) as response,
    ):
        assert response.status == 204

    status, body = await call
    assert (status, body["error"]["code"]) == (409, "CallCancelled")
    await until(lambda: chain.model.given_up == 1, what="the model is given up", within=5)


async def test_a_node_that_forgot_what_it_ran_does_not_run_a_replay(chain: Chain) -> None:
    told_before = {"Idempotency-Key": "k-before", "Isek-Tried-Ms": "9999999"}

    status, body = await ask(chain.nodes["third"].node.url, "go", agent="third", headers=told_before)

    assert (status, body["error"]["code"]) == (409, "DeliveryUnknown")
    assert chain.model.requests == []


async def test_the_time_that_is_left_shrinks_from_hop_to_hop_and_ends_all_of_them(chain: Chain) -> None:
    status, body = await chain.ask(headers={"Isek-Timeout-Ms": "1500"})

    assert (status, body["error"]["code"]) == (504, "DeadlineExceeded")
    await until(lambda: chain.model.given_up == 1, what="the third's model is given up", within=5)
    for peer in chain.nodes.values():
        await until(lambda node=peer.node: _is_idle(node), what="the node is idle", within=5)  # type: ignore[misc]


async def test_who_listens_hears_what_agents_on_other_nodes_say_while_they_say_it(chain: Chain) -> None:
    heard: list[str] = []
    url = f"{chain.nodes['first'].node.url}/v1/chat/completions"
    body = {"model": "first", "stream": True, "messages": [{"role": "user", "content": "go"}]}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        async for line in response.content:
            heard.append(line.decode())
            if '"step": "RunStarted", "agent": "third"' in heard[-1]:  # its model is held still
                chain.model.release.set()

    told = "".join(heard)
    assert '"step": "ModelReplied", "agent": "third"' in told
    assert '"content": "asked"' in told
    assert heard[-2] == "data: [DONE]\n"


async def test_who_listens_gets_the_error_of_another_node_as_who_does_not(chain: Chain) -> None:
    async def error_of(**headers: str) -> tuple[int, dict[str, Any]]:
        url = f"{chain.nodes['first'].node.url}/agents/first"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"message": "go"}, headers=headers) as answer,
        ):
            *_, last = [line async for line in answer.content if line.strip()]
            told = json.loads(last)
            return told.get("httpStatus", answer.status), told["error"]

    plain = await error_of(**{"Isek-Timeout-Ms": "700"})
    listened = await error_of(**{"Isek-Timeout-Ms": "700", "Accept": "application/x-ndjson"})

    assert (plain[0], plain[1]["code"]) == (listened[0], listened[1]["code"]) == (504, "DeadlineExceeded")


async def test_two_hundred_calls_that_are_given_up_leave_nothing_behind(chain: Chain) -> None:
    async def give_up(number: int) -> None:
        calls = [chain.ask() for _ in range(number)]
        await chain.runs(number)
        for call in calls:
            call.cancel()
        await until(lambda: chain.model.given_up == number, what="all are given up", within=30)
        chain.model.requests.clear()
        chain.model.given_up = 0

    await give_up(5)  # what is opened once: pools, modules
    open_before = _open_files(chain)

    for _ in range(40):
        await give_up(5)

    def as_before() -> bool:
        return all(now <= before + 3 for now, before in zip(_open_files(chain), open_before, strict=True))

    await until(as_before, what="no socket is left", within=30)
    for peer in chain.nodes.values():
        assert await _is_idle(peer.node)


def _open_files(chain: Chain) -> list[int]:
    pids = [pid for peer in chain.nodes.values() for pid in (peer.node.pid, peer.sidecar.pid)]
    return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids]


async def _is_idle(node: NodeProcess) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        metrics = await response.text()
    return not any(
        line.startswith("isek_running_tasks{") and not line.endswith(" 0.0") for line in metrics.splitlines()
    )
