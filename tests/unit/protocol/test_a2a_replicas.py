"""Requests about tasks on their way to other replicas."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from a2a.types import GetTaskRequest, ListTasksRequest, ListTasksResponse, SubscribeToTaskRequest, Task
from a2a.utils.errors import InternalError
from aiohttp import web
from isek.asking import Answer, CallContext
from isek.models.base import Message
from isek.node.settings import NodeSettings
from isek.protocol import headers
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_replicas import LONGEST_STREAM_SECONDS, WITHIN_SECONDS, Replicas
from isek.registry import AgentRecord, NodeRecord
from isek.registry.default import DefaultRegistry
from yarl import URL

from tests.support.web_server import web_server


async def _unasked(_message: Message, _context: CallContext) -> Answer:
    raise AssertionError("the agent is asked at the other replica")


CALL = Call("writer", "writer", _unasked, lambda: None, CallContext(deadline=float("inf")))
RESULTS = {
    "GetTask": {"id": "1.there.default"},
    "ListTasks": {"tasks": [{"id": "1.there.default"}]},
    "SubscribeToTask": {"task": {"id": "1.there.default"}},
}


class There:
    """A replica that answers, and how long each method had."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, int] = {}
        self.versions: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        method = (await request.json())["method"]
        self.versions.add(request.headers["A2A-Version"])
        self.milliseconds[method] = int(request.headers[headers.TIMEOUT])
        return web.Response(body=json.dumps({"result": RESULTS[method]}))


@pytest.fixture
def there() -> There:
    return There()


@pytest.fixture
async def replicas(there: There) -> AsyncIterator[Replicas]:
    """Those of a node that knows two others: one answers, nobody listens at the address of the other."""
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(DefaultRegistry())
        answering = URL(await stack.enter_async_context(web_server(there.answer))).port
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))
        for name, port in (("there", answering), ("gone", nobody.getsockname()[1])):
            agents = (AgentRecord(name="writer"),)
            await registry.register(NodeRecord(node_id=f"{name}.default", host="127.0.0.1", port=port, agents=agents))
        found = Replicas(registry, NodeSettings(node_id="here.default"), None)
        stack.push_async_callback(found.close)
        yield found


def holder(replicas: Replicas, name: str) -> NodeRecord:
    found = replicas.holder(f"1.{name}.default", CALL)
    assert found is not None
    return found


async def test_a_list_is_without_the_tasks_of_a_replica_that_is_gone(replicas: Replicas) -> None:
    [page] = await replicas.ask_all(CALL, "ListTasks", ListTasksRequest(), ListTasksResponse)

    assert [task.id for task in page.tasks] == ["1.there.default"]


async def test_who_asks_for_a_task_of_a_replica_that_is_gone_learns_no_address(replicas: Replicas) -> None:
    with pytest.raises(InternalError) as caught:
        await replicas.ask(holder(replicas, "gone"), CALL, "GetTask", GetTaskRequest(), Task())

    assert caught.value.message == "node gone.default did not answer: AgentUnreachable"


async def test_a_replica_has_as_long_as_is_waited_for_it(replicas: Replicas, there: There) -> None:
    record = holder(replicas, "there")

    await replicas.ask(record, CALL, "GetTask", GetTaskRequest(), Task())
    async with asyncio.timeout(10):
        [event] = [each async for each in replicas.stream(record, CALL, "SubscribeToTask", SubscribeToTaskRequest())]

    assert event == Task(id="1.there.default")
    assert there.milliseconds == {"GetTask": WITHIN_SECONDS * 1000, "SubscribeToTask": LONGEST_STREAM_SECONDS * 1000}


async def test_a_replica_is_asked_in_version_1_0(replicas: Replicas, there: There) -> None:
    record = holder(replicas, "there")

    await replicas.ask(record, CALL, "GetTask", GetTaskRequest(), Task())
    await replicas.ask_all(CALL, "ListTasks", ListTasksRequest(), ListTasksResponse)
    _ = [each async for each in replicas.stream(record, CALL, "SubscribeToTask", SubscribeToTaskRequest())]

    assert there.milliseconds.keys() == RESULTS.keys()
    assert there.versions == {"1.0"}
