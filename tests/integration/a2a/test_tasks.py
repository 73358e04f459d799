"""Tasks: begun, looked at, cancelled and read along, by each binding and version, with the official client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from a2a.client import Client
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Part,
    SendMessageConfiguration,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from tests.support.a2a import BINDINGS, a2a_client, says, send, stream, text_of
from tests.support.node_process import NodeProcess
from tests.support.openai_server import OpenAIServer

Interface = tuple[str, str]
COMPLETED, FAILED, CANCELED = (
    TaskState.TASK_STATE_COMPLETED,
    TaskState.TASK_STATE_FAILED,
    TaskState.TASK_STATE_CANCELED,
)
REJECTED, SUBMITTED, WORKING = (
    TaskState.TASK_STATE_REJECTED,
    TaskState.TASK_STATE_SUBMITTED,
    TaskState.TASK_STATE_WORKING,
)
AT_ONCE = SendMessageConfiguration(return_immediately=True)
V1 = BINDINGS[:2]


@asynccontextmanager
async def asking(
    node: NodeProcess, name: str, interface: Interface = V1[0], *, streaming: bool = False
) -> AsyncIterator[Client]:
    async with a2a_client(f"{node.url}/agents/{name}", *interface, streaming=streaming) as client:
        yield client


async def begun(client: Client, text: str = "hello", **message: str) -> Task:
    return await send(client, says(text, configuration=AT_ONCE, **message))


async def test_a_message_becomes_a_task_that_holds_the_answer(client: Client) -> None:
    task = await send(client, says("hel", "lo", context_id="monday"))

    assert (task.status.state, text_of(task), task.context_id) == (COMPLETED, "hel\nlo", "monday")
    [asked] = task.history
    assert [part.text for part in asked.parts] == ["hel", "lo"]
    assert (asked.task_id, asked.context_id) == (task.id, "monday")


async def test_a_task_can_be_looked_at_afterwards(client: Client) -> None:
    task = await send(client, says("hello"))

    assert await client.get_task(GetTaskRequest(id=task.id)) == task


async def test_a_task_has_an_id_and_a_context_of_its_own(client: Client) -> None:
    first, second = await send(client, says("hello")), await send(client, says("hello"))

    assert len({first.id, second.id, first.context_id, second.context_id}) == 4


async def test_as_much_history_is_told_as_is_asked_for(node: NodeProcess) -> None:
    async with asking(node, "echo") as client:
        task = await send(client, says("hello", configuration=SendMessageConfiguration(history_length=0)))
        assert not task.history
        assert not (await client.get_task(GetTaskRequest(id=task.id, history_length=0))).history
        assert len((await client.get_task(GetTaskRequest(id=task.id, history_length=1))).history) == 1
        assert len((await client.get_task(GetTaskRequest(id=task.id))).history) == 1
        with pytest.raises(InvalidParamsError):
            await client.get_task(GetTaskRequest(id=task.id, history_length=-1))


async def test_a_run_that_fails_is_a_failed_task_that_says_why(node: NodeProcess, interface: Interface) -> None:
    async with asking(node, "broken", interface) as client:
        task = await send(client, says("hello"))

    assert (task.status.state, task.status.message.parts[0].text) == (FAILED, "ModelError: out of order")
    assert task.status.message.metadata["isek.io/error"]["code"] == "ModelError"


async def test_what_a_guardrail_forbids_is_a_rejected_task(node: NodeProcess, interface: Interface) -> None:
    async with asking(node, "guarded", interface) as client:
        task = await send(client, says("the secret word"))

    assert task.status.state == REJECTED


async def test_who_does_not_wait_gets_the_task_while_it_runs_and_can_cancel_it(
    node: NodeProcess, interface: Interface
) -> None:
    async with asking(node, "slow", interface) as client:
        task = await begun(client)
        assert task.status.state in {SUBMITTED, WORKING}
        assert (await client.get_task(GetTaskRequest(id=task.id))).status.state == WORKING

        canceled = await client.cancel_task(CancelTaskRequest(id=task.id))

        assert canceled.status.state == CANCELED
        assert (await client.get_task(GetTaskRequest(id=task.id))).status.state == CANCELED


async def test_cancelling_ends_the_run_so_that_another_may_begin(node: NodeProcess) -> None:
    async with asking(node, "busy") as client:
        task = await begun(client)
        with pytest.raises(A2AError, match="429"):
            await begun(client)

        await client.cancel_task(CancelTaskRequest(id=task.id))

        again = await begun(client)
        await client.cancel_task(CancelTaskRequest(id=again.id))


async def test_a_task_that_was_refused_was_never_there(node: NodeProcess) -> None:
    async with asking(node, "busy") as client:
        task = await begun(client, context_id="full")
        with pytest.raises(A2AError):
            await send(client, says("hello", context_id="full"))
        tasks = (await client.list_tasks(ListTasksRequest(context_id="full"))).tasks
        await client.cancel_task(CancelTaskRequest(id=task.id))

    assert [each.id for each in tasks] == [task.id]


async def test_who_waits_is_answered_when_somebody_else_cancels(node: NodeProcess) -> None:
    async with asking(node, "slow") as client, asking(node, "slow") as other:
        waiting = asyncio.create_task(send(client, says("hello", context_id="shared")))
        listed: list[Task] = []
        while not listed:
            listed = list((await other.list_tasks(ListTasksRequest(context_id="shared"))).tasks)

        await other.cancel_task(CancelTaskRequest(id=listed[0].id))

        assert (await waiting).status.state == CANCELED


async def test_what_has_ended_cannot_be_cancelled(client: Client) -> None:
    task = await send(client, says("hello"))

    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(CancelTaskRequest(id=task.id))


@pytest.mark.parametrize("task_id", ["none", "x.node.default", "🙂", "a" * 2000])
async def test_a_task_that_is_not_there_is_not_found(client: Client, task_id: str) -> None:
    with pytest.raises(TaskNotFoundError):
        await client.get_task(GetTaskRequest(id=task_id))
    with pytest.raises(TaskNotFoundError):
        await client.cancel_task(CancelTaskRequest(id=task_id))
    with pytest.raises(TaskNotFoundError):
        await send(client, says("hello", task_id=task_id))


async def test_an_agent_does_not_tell_of_anothers_tasks(node: NodeProcess) -> None:
    async with asking(node, "echo") as echo, asking(node, "slow") as slow:
        task = await send(echo, says("hello", context_id="mine"))

        assert not (await slow.list_tasks(ListTasksRequest(context_id="mine"))).tasks
        with pytest.raises(TaskNotFoundError):
            await slow.get_task(GetTaskRequest(id=task.id))


async def test_a_task_takes_no_further_message(client: Client) -> None:
    task = await send(client, says("hello"))

    with pytest.raises(UnsupportedOperationError, match="has ended: leave out taskId"):
        await send(client, says("more", task_id=task.id))


async def test_a_message_of_another_context_than_its_task_is_refused(node: NodeProcess) -> None:
    async with asking(node, "slow") as client:
        task = await begun(client, context_id="one")
        with pytest.raises(InvalidParamsError, match="is of the context one, not another"):
            await send(client, says("more", task_id=task.id, context_id="another"))
        with pytest.raises(UnsupportedOperationError, match="asks for nothing"):
            await send(client, says("more", task_id=task.id))
        await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_a_context_is_a_conversation_also_one_that_the_agent_has_named(node: NodeProcess) -> None:
    async with asking(node, "rememberer") as client:
        first = await send(client, says("my name is Ada"))
        second = await send(client, says("who am I?", context_id=first.context_id))
        stranger = await send(client, says("who am I?"))

    assert "Ada" in text_of(second)
    assert "Ada" not in text_of(stranger)


@pytest.mark.parametrize("context_id", ["null\0", "two\nlines", "x" * 1025])
async def test_a_context_that_cannot_be_taken_is_refused_and_no_other_takes_its_place(
    node: NodeProcess, client: Client, context_id: str
) -> None:
    async with asking(node, "echo") as watching:
        before = (await watching.list_tasks(ListTasksRequest())).total_size

        with pytest.raises(InvalidParamsError, match="contextId has 1024 characters at most"):
            await send(client, says("hello", context_id=context_id))

        assert (await watching.list_tasks(ListTasksRequest())).total_size == before


@pytest.mark.parametrize("interface", V1)
async def test_tasks_are_listed_page_by_page_the_latest_first(node: NodeProcess, interface: Interface) -> None:
    context = f"listed by {interface[0]}"
    async with asking(node, "echo", interface) as client:
        tasks = [await send(client, says(str(number), context_id=context)) for number in range(5)]

        pages, token = [], ""
        while True:
            page = await client.list_tasks(ListTasksRequest(context_id=context, page_size=2, page_token=token))
            pages.append([task.id for task in page.tasks])
            assert (page.total_size, page.page_size) == (5, 2)
            assert not any(task.artifacts for task in page.tasks)
            token = page.next_page_token
            if not token:
                break

        in_full = await client.list_tasks(ListTasksRequest(context_id=context, include_artifacts=True))
        failed = await client.list_tasks(ListTasksRequest(context_id=context, status=FAILED))
        with pytest.raises(InvalidParamsError):
            await client.list_tasks(ListTasksRequest(page_token="nonsense"))
        with pytest.raises(InvalidParamsError):
            await client.list_tasks(ListTasksRequest(page_size=101))

    assert [len(ids) for ids in pages] == [2, 2, 1]
    listed = [task_id for ids in pages for task_id in ids]
    times = {task.id: task.status.timestamp.ToNanoseconds() for task in tasks}
    assert sorted(listed, key=lambda task_id: (times[task_id], task_id), reverse=True) == listed
    assert {text_of(task) for task in in_full.tasks} == {"0", "1", "2", "3", "4"}
    assert not failed.tasks


async def test_tasks_are_listed_since_a_time(node: NodeProcess) -> None:
    async with asking(node, "echo") as client:
        task = await send(client, says("hello", context_id="timed"))
        later = ListTasksRequest(context_id="timed", status_timestamp_after=task.status.timestamp)
        assert [each.id for each in (await client.list_tasks(later)).tasks] == [task.id]
        later.status_timestamp_after.seconds += 1
        assert not (await client.list_tasks(later)).tasks


async def test_a_stream_tells_of_the_task_from_its_beginning_to_its_end(
    node: NodeProcess, interface: Interface
) -> None:
    async with asking(node, "echo", interface, streaming=True) as client:
        told = await stream(client, says("hello there"))

    assert [each.WhichOneof("payload") for each in told] == [
        "task",
        "status_update",
        "artifact_update",
        "status_update",
    ]
    assert told[0].task.status.state == SUBMITTED
    assert [told[1].status_update.status.state, told[3].status_update.status.state] == [WORKING, COMPLETED]
    assert told[2].artifact_update.artifact.parts[0].text == "hello there"


async def test_a_stream_of_a_failing_run_ends_with_why(node: NodeProcess, interface: Interface) -> None:
    async with asking(node, "broken", interface, streaming=True) as client:
        [*_, last] = await stream(client, says("hello"))

    assert last.status_update.status.state == FAILED
    assert last.status_update.status.message.parts[0].text == "ModelError: out of order"


def said_by(events: list[StreamResponse]) -> str:
    """What a reader has in the end, who keeps to `append`."""
    text = ""
    for event in events:
        if event.HasField("task"):
            text = text_of(event.task)
        if event.HasField("artifact_update"):
            piece = "".join(part.text for part in event.artifact_update.artifact.parts)
            text = text + piece if event.artifact_update.append else piece
    return text


async def test_an_answer_comes_piece_by_piece_to_all_who_read_it(
    node: NodeProcess, models: OpenAIServer, interface: Interface
) -> None:
    models.release.clear()
    async with asking(node, "talker", interface, streaming=True) as client:
        first: list[StreamResponse] = []
        async with aclosing(client.send_message(says("talk"))) as reading:  # type: ignore[type-var]
            async for event in reading:
                first.append(event)
                if "first" in said_by(first):
                    break  # the reader goes away, and the task goes on
        task_id = first[0].task.id
        so_far = await client.get_task(GetTaskRequest(id=task_id))
        assert text_of(so_far).startswith("first")
        assert so_far.status.state == WORKING

        readers = [client.subscribe(SubscribeToTaskRequest(id=task_id)) for _ in range(2)]
        beginnings = [await anext(reader) for reader in readers]
        assert [each.task.id for each in beginnings] == [task_id] * 2
        models.release.set()
        rests = [[event async for event in reader] for reader in readers]

        assert rests[0] == rests[1]
        assert said_by([beginnings[0], *rests[0]]) == "first half, second half"
        assert rests[0][-1].status_update.status.state == COMPLETED
        assert text_of(await client.get_task(GetTaskRequest(id=task_id))) == "first half, second half"


async def test_what_has_ended_cannot_be_subscribed_to(node: NodeProcess, interface: Interface) -> None:
    async with asking(node, "echo", interface, streaming=True) as client:
        [first, *_] = await stream(client, says("hello"))
        with pytest.raises(UnsupportedOperationError):
            _ = [event async for event in client.subscribe(SubscribeToTaskRequest(id=first.task.id))]
        with pytest.raises(TaskNotFoundError):
            _ = [event async for event in client.subscribe(SubscribeToTaskRequest(id="none"))]


async def test_a_stream_that_cannot_begin_is_an_error(node: NodeProcess, interface: Interface) -> None:
    async with asking(node, "echo", interface, streaming=True) as client:
        with pytest.raises(ContentTypeNotSupportedError):
            await stream(client, says(Part(raw=b"\0", media_type="application/zip", filename="x.zip")))


async def test_no_traceback_reached_the_log(node: NodeProcess) -> None:
    assert "Traceback" not in node.text
