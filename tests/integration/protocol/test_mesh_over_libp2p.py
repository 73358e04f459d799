"""Asking over real sidecars."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from isek.asking import CallContext
from isek.errors import CallError, RunError
from isek.processes.ports import free_port
from isek.protocol.p2p import P2PContext, Sidecar

from tests.integration.protocol.conftest import MAX_ANSWER_BYTES, NearNode, P2PNetwork
from tests.integration.protocol.far_node import Asked, FarNode, failing, never
from tests.support.sidecar import SidecarProcess


def a_run(seconds: float = 10, **more: Any) -> CallContext:
    return CallContext(deadline=time.monotonic() + seconds, **more)


async def test_a_far_agent_is_asked_over_libp2p_and_knows_which_peer_asks(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    far_sidecar = await p2p.join(far)
    run = a_run()

    answer = await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", run)

    assert answer.text == "far says hello"
    assert [(trace.node, trace.path) for trace in run.children] == [("far.newsroom", "libp2p")]
    [asked] = far.asked
    assert asked.headers["Isek-Peer-Id"] == own.peer_id
    assert asked.headers["Isek-Token"] == far_sidecar.token_file.read_text().strip()
    assert "Authorization" not in asked.headers
    assert asked.headers["Isek-Call-Depth"] == "1"


async def test_an_error_of_the_far_run_comes_through_with_its_code(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    await p2p.join(FarNode("far", known_peers={own.peer_id}, answering=failing("ModelError", 502)))

    with pytest.raises(RunError) as caught:
        await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", a_run())

    assert caught.value.code == "ModelError"


async def test_a_replica_whose_sidecar_is_gone_is_passed_over(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    gone = FarNode("gone", known_peers={own.peer_id})
    alive = FarNode("alive", known_peers={own.peer_id})
    async with AsyncExitStack() as life:
        await p2p.join(gone, life)
    await p2p.join(alive)
    mesh = near.mesh(sidecar=p2p.client(own))

    answers = {(await mesh.ask("writer", "hello", a_run())).text for _ in range(6)}

    assert answers == {"alive says hello"}
    assert gone.asked == []


async def test_a_call_waits_for_the_own_sidecar_to_be_started_again(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    await p2p.join(far)
    mesh = near.mesh(sidecar=p2p.client(own))
    await own.kill()

    asking = asyncio.create_task(mesh.ask("writer", "hello", a_run(30)))
    await own.start_again()

    assert (await asking).text == "far says hello"
    assert len(far.asked) == 1


async def test_an_own_sidecar_that_stays_away_is_said_and_no_other_replica_is_tried_through_it(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    for name in ("one", "two"):
        await p2p.join(FarNode(name, known_peers={own.peer_id}))
    mesh = near.mesh(sidecar=p2p.client(own))
    await own.kill()
    run = a_run(1)

    with pytest.raises(CallError, match="through the own sidecar, cannot be reached") as caught:
        await mesh.ask("writer", "hello", run)

    assert (caught.value.code, len(run.children)) == ("AgentUnreachable", 1)


async def test_a_node_that_does_not_know_the_caller_refuses_it(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    far = FarNode("far")
    await p2p.join(far)
    run = a_run()

    with pytest.raises(CallError, match="PeerRefused") as caught:
        await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", run)

    assert caught.value.code == "AgentUnreachable"
    assert caught.value.hint
    assert [(trace.error, trace.path) for trace in run.children] == [("AgentUnreachable", "libp2p")]
    assert far.asked == []


async def test_the_deadline_ends_a_call_over_libp2p(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    await p2p.join(FarNode("far", known_peers={own.peer_id}, answering=never))

    with pytest.raises(CallError) as caught:
        await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", a_run(0.5))

    assert caught.value.code == "DeadlineExceeded"


async def test_an_answer_that_is_too_large_is_not_read(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    async def large(_: Asked) -> web.Response:
        return web.json_response({"response": "x" * MAX_ANSWER_BYTES})

    await p2p.join(FarNode("far", known_peers={own.peer_id}, answering=large))

    with pytest.raises(CallError, match=r"writer\.newsroom on far\.newsroom, through .* more than 1048576") as caught:
        await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", a_run())

    assert caught.value.code == "AnswerTooLarge"


async def test_a_node_without_a_sidecar_is_not_asked_in_plain_text(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    plain = FarNode("plain")
    await near.join(plain)
    mesh = near.mesh(sidecar=p2p.client(own))

    with pytest.raises(CallError, match=r"no node that hosts writer\.newsroom has a p2p address: plain") as caught:
        await mesh.ask("writer", "hello", a_run())
    await p2p.join(FarNode("far", known_peers={own.peer_id}))
    answers = {(await mesh.ask("writer", "hello", a_run())).text for _ in range(6)}

    assert caught.value.code == "AgentUnreachable"
    assert answers == {"far says hello"}
    assert plain.asked == []


async def test_an_agent_of_this_node_needs_no_sidecar(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    near.hosted.add("writer")

    answer = await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", a_run())

    assert answer.text == "writer here says hello"


async def test_the_own_sidecar_is_waited_for_and_tells_who_the_node_is(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess
) -> None:
    late_token = near.folder / "token"
    sidecar = Sidecar(own.api_url, late_token, MAX_ANSWER_BYTES)
    near.stack.push_async_callback(sidecar.close)
    with pytest.raises(CallError, match=str(late_token)):
        await sidecar.until_up(within=0.2)
    waiting = asyncio.create_task(sidecar.until_up())

    late_token.write_text(own.token_file.read_text())

    assert await asyncio.wait_for(waiting, 5) == P2PContext(own.peer_id, own.p2p_address, p2p.fingerprints)


async def test_a_sidecar_that_does_not_listen_is_said(near: NearNode) -> None:
    token = near.folder / "token"
    token.write_text("secret")
    sidecar = Sidecar(f"http://127.0.0.1:{free_port()}", token, MAX_ANSWER_BYTES)
    near.stack.push_async_callback(sidecar.close)

    with pytest.raises(CallError, match="the own sidecar cannot be reached") as caught:
        await sidecar.p2p_context()

    assert caught.value.code == "AgentUnreachable"


async def test_a_token_that_changed_is_read_again(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    token = own.token_file.read_text()
    stale = near.folder / "token"
    stale.write_text("stale")
    sidecar = Sidecar(own.api_url, stale, MAX_ANSWER_BYTES)
    near.stack.push_async_callback(sidecar.close)
    with pytest.raises(CallError, match="Unauthorized"):
        await sidecar.p2p_context()

    stale.write_text(token)

    assert (await sidecar.p2p_context()).peer_id == own.peer_id
