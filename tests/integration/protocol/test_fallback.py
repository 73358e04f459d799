"""HTTP as the last path, where the mesh allows it."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from isek.errors import CallError, RunError
from isek.protocol.mesh import Mesh

from tests.integration.protocol.conftest import NearNode, P2PNetwork
from tests.integration.protocol.far_node import Asked, FarNode, failing
from tests.integration.protocol.test_mesh_over_libp2p import a_run
from tests.support.sidecar import SidecarProcess


@pytest.fixture
def mesh(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> Mesh:
    return near.mesh(sidecar=p2p.client(own), p2p_fallback="HTTP")


async def joins_and_loses_its_sidecar(p2p: P2PNetwork, far: FarNode) -> None:
    async with AsyncExitStack() as life:
        await p2p.join(far, life)


async def test_who_no_path_of_libp2p_reaches_is_asked_over_http_as_from_outside(
    p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh
) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    await joins_and_loses_its_sidecar(p2p, far)
    run = a_run()

    answer = await mesh.ask("writer", "hello", run)

    assert answer.text == "far says hello"
    assert [(trace.node, trace.path) for trace in run.children] == [("far.newsroom", "http")]
    [asked] = far.asked
    assert not {"Isek-Peer-Id", "Isek-Token", "Authorization"} & set(asked.headers)


async def test_another_replica_over_libp2p_comes_first(p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh) -> None:
    gone, alive = FarNode("gone", known_peers={own.peer_id}), FarNode("alive", known_peers={own.peer_id})
    await joins_and_loses_its_sidecar(p2p, gone)
    await p2p.join(alive)

    answers = {(await mesh.ask("writer", "hello", a_run())).text for _ in range(6)}

    assert answers == {"alive says hello"}


async def test_who_has_lost_the_own_sidecar_asks_over_http(p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh) -> None:
    await p2p.join(FarNode("far", known_peers={own.peer_id}))
    await own.kill()

    assert (await mesh.ask("writer", "hello", a_run())).text == "far says hello"


async def test_a_call_that_may_have_arrived_is_not_sent_over_http_too(
    p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh
) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    async with AsyncExitStack() as life:
        sidecar = await p2p.join(far, life)

        async def dying(_: Asked) -> Any:
            await sidecar.kill()
            raise ConnectionResetError

        far.answering = dying
        with pytest.raises(CallError) as caught:
            await mesh.ask("writer", "hello", a_run(3))

    assert not caught.value.retryable
    assert all("Isek-Peer-Id" in asked.headers for asked in far.asked)


async def test_what_an_agent_itself_was_refused_is_its_answer_and_it_does_not_run_again(
    p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh
) -> None:
    far = FarNode("far", known_peers={own.peer_id}, answering=failing("GuardrailBlocked", 403))
    await joins_and_loses_its_sidecar(p2p, far)

    with pytest.raises(RunError, match="GuardrailBlocked"):
        await mesh.ask("writer", "hello", a_run())

    assert len(far.asked) == 1


async def test_with_the_own_sidecar_gone_another_replica_is_asked_where_one_is_gone_too(
    near: NearNode, p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh
) -> None:
    gone, alive = (FarNode(name, known_peers={own.peer_id}) for name in ("gone", "alive"))
    for far in (gone, alive):
        await p2p.join(far)
    await gone.stop()
    await own.kill()

    sessions = [a_run(20, session_id=f"s{number}") for number in range(4)]
    answers = await asyncio.gather(*(mesh.ask("writer", "hello", run) for run in sessions))

    assert {answer.text for answer in answers} == {"alive says hello"}


@pytest.mark.parametrize("known", [True, False])
async def test_who_refuses_over_libp2p_is_not_asked_over_http_too(
    p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh, known: bool
) -> None:
    far = FarNode("far", known_peers={own.peer_id} if known else set(), answering=failing("Draining", 503))
    await p2p.join(far)

    with pytest.raises(CallError, match="Draining" if known else "PeerRefused"):
        await mesh.ask("writer", "hello", a_run())

    assert all("Isek-Peer-Id" in asked.headers for asked in far.asked)


async def test_another_cluster_is_not_asked_over_http(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    await joins_and_loses_its_sidecar(p2p, far)
    mesh = near.mesh(sidecar=p2p.client(own), p2p_fallback="HTTP", cluster="elsewhere")

    with pytest.raises(CallError) as caught:
        await mesh.ask("writer", "hello", a_run())

    assert caught.value.code == "AgentUnreachable"
    assert far.asked == []


async def test_who_takes_no_unknown_callers_over_http_is_unreachable_for_both_reasons(
    p2p: P2PNetwork, own: SidecarProcess, mesh: Mesh
) -> None:
    far = FarNode("far", known_peers={own.peer_id}, answering=failing("Forbidden", 403))
    await joins_and_loses_its_sidecar(p2p, far)
    run = a_run()

    with pytest.raises(CallError, match=r"cannot be reached: .*; over HTTP: Forbidden") as caught:
        await mesh.ask("writer", "hello", run)

    assert caught.value.code == "AgentUnreachable"
    assert [trace.path for trace in run.children] == ["http"]


async def test_without_it_nothing_goes_out_in_plain_text(near: NearNode, p2p: P2PNetwork, own: SidecarProcess) -> None:
    far = FarNode("far", known_peers={own.peer_id})
    await joins_and_loses_its_sidecar(p2p, far)

    with pytest.raises(CallError):
        await near.mesh(sidecar=p2p.client(own)).ask("writer", "hello", a_run())

    assert far.asked == []
