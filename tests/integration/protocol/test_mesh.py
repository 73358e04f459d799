"""Asking over HTTP and in process."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from aiohttp import web
from isek.asking import MAX_CALL_DEPTH, CallContext
from isek.errors import CallError, IsekError, RunError

from tests.integration.protocol.conftest import MAX_ANSWER_BYTES, NearNode
from tests.integration.protocol.far_node import Asked, FarNode, failing, never

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def a_run(seconds: float = 10) -> CallContext:
    return CallContext(deadline=time.monotonic() + seconds, traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01")


async def test_a_far_agent_answers_and_the_trace_says_who_and_how(near: NearNode) -> None:
    far = FarNode("far")
    await near.join(far)
    run = a_run()

    answer = await near.mesh().ask("writer", "hello", run)

    assert answer.text == "far says hello"
    assert answer.trace is not None
    assert run.children == [answer.trace]
    assert (answer.trace.agent, answer.trace.node, answer.trace.path) == ("writer.newsroom", "far.newsroom", "http")


async def test_time_depth_trace_and_session_travel_with_the_call(near: NearNode) -> None:
    far = FarNode("far")
    await near.join(far)

    await near.mesh().ask("writer.newsroom", "hello", replace(a_run(10), depth=3, session_id="s1"))

    [asked] = far.asked
    assert asked.body == {"sender_node_id": "near.newsroom", "message": "hello", "session_id": "s1"}
    assert 9_000 < int(asked.headers["Isek-Timeout-Ms"]) <= 10_000
    assert asked.headers["Isek-Call-Depth"] == "4"
    version, trace_id, span, _ = asked.headers["traceparent"].split("-")
    assert (version, trace_id) == ("00", TRACE_ID)
    assert span != "00f067aa0ba902b7"


async def test_what_an_agent_asks_is_a_session_of_its_own_for_the_same_user(near: NearNode) -> None:
    far = FarNode("far")
    await near.join(far)

    await near.mesh().ask("writer", "hello", replace(a_run(), session_id="s1", user_id="ann", agent="editor"))

    [asked] = far.asked
    assert (asked.body["session_id"], asked.body["user_id"]) == ("s1>editor.newsroom", "ann")


async def test_an_agent_of_this_node_is_asked_in_process(near: NearNode) -> None:
    far = FarNode("far")
    await near.join(far)
    near.hosted.add("writer")
    run = a_run()

    answer = await near.mesh().ask("writer", "hello", run)

    assert answer.text == "writer here says hello"
    assert [(trace.node, trace.path) for trace in run.children] == [("near.newsroom", "local")]
    assert near.contexts[0].depth == 1
    assert far.asked == []


async def test_an_agent_of_that_name_in_another_namespace_is_not_the_one_of_this_node(near: NearNode) -> None:
    near.hosted.add("writer")

    with pytest.raises(CallError, match=r"writer\.elsewhere"):
        await near.mesh().ask("writer.elsewhere", "hello", a_run(0.1))


async def test_a_replica_that_refuses_the_connection_is_passed_over(near: NearNode) -> None:
    gone, alive = FarNode("gone"), FarNode("alive")
    await near.join(gone, alive)
    await gone.stop()
    mesh = near.mesh()

    for _ in range(10):
        assert (await mesh.ask("writer", "hello", a_run())).text == "alive says hello"


@pytest.mark.parametrize(
    ("code", "status"), [("Draining", 503), ("TooManyTasks", 429), ("AgentNotFound", 404), ("PeerRefused", 403)]
)
async def test_a_replica_that_refuses_the_work_is_passed_over(near: NearNode, code: str, status: int) -> None:
    willing = FarNode("willing")
    await near.join(willing, FarNode("refusing", answering=failing(code, status)))
    mesh = near.mesh()

    for _ in range(10):
        assert (await mesh.ask("writer", "hello", a_run())).text == "willing says hello"


async def test_a_busy_agent_of_this_node_has_its_far_replica_asked(near: NearNode) -> None:
    await near.join(FarNode("far"))
    near.hosted.add("writer")
    near.fails = CallError("TooManyTasks", "busy", status=429, retryable=True)

    assert (await near.mesh().ask("writer", "hello", a_run())).text == "far says hello"


async def test_when_all_replicas_refuse_the_error_is_theirs_and_in_the_trace(near: NearNode) -> None:
    far_nodes = [FarNode(name, answering=failing("TooManyTasks", 429)) for name in ("one", "two")]
    await near.join(*far_nodes)
    run = a_run()

    with pytest.raises(CallError) as caught:
        await near.mesh().ask("writer", "hello", run)

    assert (caught.value.code, caught.value.status, caught.value.hint) == ("TooManyTasks", 429, "do something")
    assert [len(far.asked) for far in far_nodes] == [1, 1]
    assert [trace.error for trace in run.children] == ["TooManyTasks"]


async def test_a_run_that_failed_is_not_run_again(near: NearNode) -> None:
    far_nodes = [FarNode(name, answering=failing("ModelTimeout", 504)) for name in ("one", "two")]
    await near.join(*far_nodes)
    run = a_run()

    with pytest.raises(RunError) as caught:
        await near.mesh().ask("writer", "hello", run)

    assert (caught.value.code, caught.value.message) == ("ModelTimeout", "ModelTimeout it is")
    assert sum(len(far.asked) for far in far_nodes) == 1
    assert [(trace.error, trace.path) for trace in run.children] == [("ModelTimeout", "http")]


async def test_a_refusal_from_deeper_down_does_not_run_the_agent_again(near: NearNode) -> None:
    child = {"agent": "a.b", "node": "n", "startedAt": "2026-01-01T00:00:00Z", "durationMs": 1}
    trace = {**child, "children": [{**child, "error": "TooManyTasks"}]}
    answering = failing("TooManyTasks", 429, metadata={"isek.io/trace": trace})
    far_nodes = [FarNode(name, answering=answering) for name in ("one", "two")]
    await near.join(*far_nodes)

    with pytest.raises(CallError):
        await near.mesh().ask("writer", "hello", a_run())

    assert sum(len(far.asked) for far in far_nodes) == 1


async def test_after_a_connection_breaks_during_the_run_the_same_replica_alone_is_told_again_with_the_same_key(
    near: NearNode,
) -> None:
    async def break_off(_: Asked) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        for far in far_nodes:
            for connection in list(far._runner.server.connections if far._runner.server else []):
                if connection.transport is not None:
                    connection.transport.abort()
        return await never(_)

    far_nodes = [FarNode(name, answering=break_off) for name in ("one", "two")]
    await near.join(*far_nodes)

    with pytest.raises(CallError, match="broke off") as caught:
        await near.mesh().ask("writer", "hello", a_run(1))

    assert caught.value.code == "AgentUnreachable"
    [asked] = [far.asked for far in far_nodes if far.asked]
    assert len(asked) > 1
    assert len({request.headers["Idempotency-Key"] for request in asked}) == 1
    tried = [int(request.headers.get("Isek-Tried-Ms", 0)) for request in asked]
    assert tried == sorted(set(tried))
    assert tried[0] == 0


async def test_the_deadline_ends_the_call(near: NearNode) -> None:
    await near.join(FarNode("far", answering=never))
    run, begun = a_run(0.3), time.monotonic()

    with pytest.raises(CallError) as caught:
        await near.mesh().ask("writer", "hello", run)

    assert caught.value.code == "DeadlineExceeded"
    assert 0.25 < time.monotonic() - begun < 20
    assert [trace.error for trace in run.children] == ["DeadlineExceeded"]


async def test_a_session_stays_with_one_replica_whoever_asks(near: NearNode) -> None:
    far_nodes = [FarNode(name) for name in ("one", "two", "three")]
    await near.join(*far_nodes)
    meshes = [near.mesh("near-1"), near.mesh("near-2")]

    async def who_answers(session: str) -> set[str]:
        asks = [mesh.ask("writer", "hello", replace(a_run(), session_id=session)) for mesh in meshes * 3]
        return {answer.text for answer in await asyncio.gather(*asks)}

    answerers = [await who_answers(f"session-{number}") for number in range(20)]
    assert all(len(names) == 1 for names in answerers)
    assert len(set.union(*answerers)) == 3


async def test_a_busy_replica_is_asked_less(near: NearNode) -> None:
    busy, idle = FarNode("busy", load=50), FarNode("idle")
    await near.join(busy, idle)
    mesh = near.mesh()

    for _ in range(20):
        await mesh.ask("writer", "hello", a_run())

    assert len(busy.asked) <= 1
    assert len(idle.asked) >= 19


async def test_calls_at_the_same_time_are_spread(near: NearNode) -> None:
    far_nodes = [FarNode(name) for name in ("one", "two", "three")]
    await near.join(*far_nodes)
    mesh = near.mesh()

    await asyncio.gather(*(mesh.ask("writer", "hello", a_run()) for _ in range(90)))

    assert all(20 <= len(far.asked) <= 40 for far in far_nodes)


async def test_an_unknown_agent_is_named_with_those_like_it(near: NearNode) -> None:
    await near.join(FarNode("far", agent="researcher"))
    run = a_run(0.2)

    with pytest.raises(CallError) as caught:
        await near.mesh().ask("reseacher", "hello", run)

    assert caught.value.code == "AgentNotFound"
    assert caught.value.status == 404
    assert caught.value.hint == "did you mean researcher.newsroom?"
    assert [trace.error for trace in run.children] == ["AgentNotFound"]


async def test_a_mesh_that_just_started_waits_for_an_agent_that_is_just_coming(near: NearNode) -> None:
    asking = asyncio.create_task(near.mesh().ask("writer", "hello", a_run()))
    await asyncio.sleep(0)

    await near.join(FarNode("late"))

    assert (await asking).text == "late says hello"


async def test_calls_in_a_circle_end(near: NearNode) -> None:
    far = FarNode("far")
    await near.join(far)
    run = replace(a_run(), depth=MAX_CALL_DEPTH)

    with pytest.raises(CallError) as caught:
        await near.mesh().ask("writer", "hello", run)

    assert caught.value.code == "CallDepthExceeded"
    assert far.asked == []
    assert [trace.error for trace in run.children] == ["CallDepthExceeded"]


@pytest.mark.parametrize(
    "response",
    [
        lambda: web.Response(status=502, text="<html>bad gateway</html>"),
        lambda: web.json_response(["no", "object"]),
        lambda: web.json_response({"status": "received"}),
        lambda: web.json_response({"error": "a word"}, status=500),
    ],
    ids=["html", "list", "no response", "no error object"],
)
async def test_an_answer_that_is_none_of_a_node_is_an_error_that_says_so(near: NearNode, response: object) -> None:
    async def strange(_: Asked) -> web.StreamResponse:
        made: web.StreamResponse = response()  # type: ignore[operator]
        return made

    await near.join(FarNode("far", answering=strange))

    with pytest.raises(CallError, match="in no form that is known") as caught:
        await near.mesh().ask("writer", "hello", a_run())

    assert caught.value.code == "AgentUnreachable"


async def test_an_answer_up_to_the_limit_is_read_and_of_one_without_end_no_more(near: NearNode) -> None:
    ended = asyncio.Event()

    async def as_large_as_may_be(_: Asked) -> web.Response:
        frame = len('{"response": ""}')
        return web.json_response({"response": "x" * (MAX_ANSWER_BYTES - frame)})

    async def endless(asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(asked.request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            ended.set()

    far = FarNode("far", answering=as_large_as_may_be)
    await near.join(far)
    await near.mesh().ask("writer", "hello", a_run())
    far.answering = endless

    with pytest.raises(CallError, match="answered with more than 1048576 bytes") as caught:
        await near.mesh().ask("writer", "hello", a_run())

    assert caught.value.code == "AnswerTooLarge"
    await asyncio.wait_for(ended.wait(), 2)


async def test_a_caller_that_gives_up_ends_the_call_at_the_far_node(near: NearNode) -> None:
    ended, began = asyncio.Event(), asyncio.Event()

    async def until_cancelled(asked: Asked) -> web.StreamResponse:
        began.set()
        try:
            return await never(asked)
        finally:
            ended.set()

    await near.join(FarNode("far", answering=until_cancelled))
    asking = asyncio.create_task(near.mesh().ask("writer", "hello", a_run()))
    await began.wait()

    asking.cancel()
    with suppress(asyncio.CancelledError, IsekError):
        await asking

    await asyncio.wait_for(ended.wait(), 2)
