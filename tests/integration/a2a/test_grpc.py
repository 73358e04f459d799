"""What gRPC has of its own: tenants, deadlines, codes, and connections that end. The rest is shown for all bindings."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from a2a.types import GetTaskRequest, TaskState
from a2a.types.a2a_pb2_grpc import A2AServiceStub
from a2a.utils.grpc_status import status_from_call
from google.rpc.error_details_pb2 import ErrorInfo

from tests.support.a2a import says
from tests.support.node_process import NodeProcess, agent
from tests.support.openai_server import OpenAIServer
from tests.support.waiting import until

METADATA = (("a2a-version", "1.0"),)


@asynccontextmanager
async def channel_to(node: NodeProcess) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to the port that the node's cards name."""
    [name, *_] = [name for name in ("echo", "slow") if f"name: {name}\n" in node.settings.hosted_file.read_text()]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/agents/{name}/.well-known/agent-card.json") as response,
    ):
        card = await response.json()
    [url] = [each["url"] for each in card["supportedInterfaces"] if each["protocolBinding"] == "GRPC"]
    async with grpc.aio.insecure_channel(url) as channel:
        yield channel


@pytest.fixture
async def channel(node: NodeProcess) -> AsyncIterator[grpc.aio.Channel]:
    async with channel_to(node) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    return stub_of(channel)


def stub_of(channel: grpc.aio.Channel) -> Any:
    return A2AServiceStub(channel)  # type: ignore[no-untyped-call]


def to(tenant: str, text: str = "hello") -> Any:
    request = says(text)
    request.tenant = tenant
    return request


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def reason(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """The domain and the reason of an error."""
    status = status_from_call(error)
    assert status is not None
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.domain, info.reason


async def running(node: NodeProcess, name: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(
        (float(line.split()[1]) for line in lines if line.startswith(f'isek_running_tasks{{agent="{name}"}}')), 0.0
    )


async def until_running(node: NodeProcess, name: str, wanted: float) -> None:
    async def reached() -> bool:
        return await running(node, name) == wanted

    await until(reached, what=f"{wanted} runs of {name}")


async def test_the_tenant_is_the_agent(stub: Any) -> None:
    answer = await stub.SendMessage(to("echo"), metadata=METADATA)

    assert answer.task.artifacts[0].parts[0].text == "hello"


@pytest.mark.parametrize("tenant", ["nobody", ""])
async def test_who_names_no_agent_of_the_node_is_told_whom_there_is(stub: Any, tenant: str) -> None:
    error = await failure(stub.SendMessage(to(tenant), metadata=METADATA))

    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, ("isek.io", "AgentNotFound"))
    assert "echo" in str(error.details())


async def test_where_there_is_one_agent_no_tenant_is_needed(tmp_path: Path) -> None:
    async with (
        NodeProcess(tmp_path, [agent("echo", {"provider": "Echo"})], grpc_port=0) as node,
        channel_to(node) as channel,
    ):
        answer = await stub_of(channel).SendMessage(to(""), metadata=METADATA)

    assert answer.task.status.state == TaskState.TASK_STATE_COMPLETED


async def test_who_may_ask_nobody_is_refused_before_the_message_has_come(tmp_path: Path) -> None:
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "ci").write_text("ci-0123456789abcdef")
    outside = {"from": "Authenticated", "tokensSecret": {"name": "callers"}}
    guarded = agent("echo", {"provider": "Echo"}, access={"outside": outside})
    async with (
        NodeProcess(tmp_path, [guarded], grpc_port=0, access_dir=tmp_path) as node,
        channel_to(node) as channel,
    ):
        call = channel.stream_unary("/lf.a2a.v1.A2AService/SendMessage")(metadata=METADATA, timeout=30)

        assert await call.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_call_without_a_message_is_none(channel: grpc.aio.Channel) -> None:
    call = channel.stream_unary("/lf.a2a.v1.A2AService/SendMessage")(iter(()), metadata=METADATA, timeout=30)

    assert (await failure(call)).code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_run_ends_with_the_deadline_of_its_call(node: NodeProcess, stub: Any) -> None:
    """Whoever looks at the clock first says so."""
    call = stub.SendMessage(to("slow"), metadata=METADATA, timeout=0.5)
    code = await call.code()

    if code == grpc.StatusCode.OK:
        assert (await call).task.status.state == TaskState.TASK_STATE_FAILED
    else:
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    await until_running(node, "slow", 0)


async def test_a_run_ends_when_its_caller_cancels_the_call(node: NodeProcess, stub: Any) -> None:
    call = stub.SendMessage(to("slow"), metadata=METADATA)
    await until_running(node, "slow", 1)

    call.cancel()

    await until_running(node, "slow", 0)


async def test_a_busy_agent_says_so_in_grpcs_code(node: NodeProcess, stub: Any) -> None:
    first = stub.SendMessage(to("busy"), metadata=METADATA)
    await until_running(node, "busy", 1)

    error = await failure(stub.SendMessage(to("busy"), metadata=METADATA))
    first.cancel()

    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, ("isek.io", "TooManyTasks"))
    await until_running(node, "busy", 0)


async def test_a_message_larger_than_a_body_may_be_is_refused(node: NodeProcess, stub: Any) -> None:
    error = await failure(stub.SendMessage(to("echo", "x" * node.settings.max_body_bytes), metadata=METADATA))

    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_error_of_a2a_names_its_reason(stub: Any) -> None:
    error = await failure(stub.GetTask(GetTaskRequest(tenant="echo", id="nothing"), metadata=METADATA))

    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, ("a2a-protocol.org", "TASK_NOT_FOUND"))


async def test_a_version_that_is_not_spoken_is_refused(stub: Any) -> None:
    error = await failure(stub.SendMessage(to("echo"), metadata=(("a2a-version", "9.0"),)))

    assert (error.code(), reason(error)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        ("a2a-protocol.org", "VERSION_NOT_SUPPORTED"),
    )


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("/lf.a2a.v1.A2AService/SendMessage", grpc.StatusCode.INVALID_ARGUMENT),
        ("/lf.a2a.v1.A2AService/Nothing", grpc.StatusCode.UNIMPLEMENTED),
        ("/elsewhere.Service/Method", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_what_is_no_request_has_its_code(channel: grpc.aio.Channel, method: str, code: grpc.StatusCode) -> None:
    error = await failure(channel.unary_unary(method)(b"\xff\xff\xff", metadata=METADATA))

    assert error.code() == code


@pytest.mark.parametrize("value", ["soon", "-1"])
async def test_metadata_are_checked_like_headers(stub: Any, value: str) -> None:
    error = await failure(stub.SendMessage(to("echo"), metadata=(*METADATA, ("isek-timeout-ms", value))))

    assert (error.code(), reason(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ("isek.io", "InvalidRequest"))


async def test_a_node_that_stops_finishes_what_it_was_asked_over_grpc(tmp_path: Path) -> None:
    async with OpenAIServer({"slow": [{"text": "done", "held": True}]}) as model:
        model.release.clear()
        slow = agent("slow", {"provider": "OpenAI", "name": "slow", "baseURL": model.url})
        node = NodeProcess(tmp_path, [slow], grpc_port=0, environment={"OPENAI_API_KEY": "any"})
        async with node, channel_to(node) as channel:
            call = stub_of(channel).SendMessage(to("slow"), metadata=METADATA)
            await until_running(node, "slow", 1)
            node.signal(signal.SIGTERM)

            async def refused() -> bool:
                error = await failure(stub_of(channel).GetTask(GetTaskRequest(id="nothing"), metadata=METADATA))
                return bool(error.code() == grpc.StatusCode.UNAVAILABLE)

            await until(refused, what="others are sent elsewhere")
            model.release.set()
            answer = await call

            assert answer.task.artifacts[0].parts[0].text == "done"
            assert await node.exit_code() == 0


async def test_a_port_that_is_taken_ends_the_node_with_a_line_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    process = NodeProcess(tmp_path, [agent("echo", {"provider": "Echo"})], grpc_port=port, ready=False)
    async with taken:
        with pytest.raises(RuntimeError, match=rf"port {port}, for gRPC; set ISEK_GRPC_PORT"):
            await process.start()


async def test_no_traceback_reached_the_log(node: NodeProcess) -> None:
    assert "Traceback" not in node.text
