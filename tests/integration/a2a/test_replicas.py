"""An agent with several replicas: each of them answers for the tasks of all, over HTTP and through real sidecars."""

import asyncio
import functools
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from a2a.client import Client
from a2a.types import (
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    SendMessageConfiguration,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError, UnsupportedOperationError

from tests.support.a2a import ThroughSidecars, a2a_client, says, send, stream, text_of
from tests.support.center_registry import center_registry
from tests.support.node_process import NodeProcess, agent, scripted
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.tokens import AUDIENCE, ISSUER, Issuer
from tests.support.waiting import until

SIGNS = Issuer("one")
BY_JWT = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": SIGNS.key_set()}
AGENTS = [
    agent("slow", scripted({"delayMilliseconds": 120000}, timeoutSeconds=120), pushNotifications={}),
    agent("echo", {"provider": "Echo"}),
    agent("guarded", {"provider": "Echo"}, access={"outside": {"from": "Authenticated", "jwt": BY_JWT}}),
]
AT_ONCE = SendMessageConfiguration(return_immediately=True)
NAMES = ("one.default", "two.default")


@dataclass
class Pair:
    """Two replicas."""

    one: NodeProcess
    two: NodeProcess
    peers: tuple[PeerNode, ...] = ()

    async def know_each_other(self) -> None:
        """Return once each can ask the other."""
        for node, other in ((self.one, self.two), (self.two, self.one)):
            async with a2a_client(f"{other.url}/agents/echo", streaming=False) as client:
                task = await send(client, says("hello"))
            async with a2a_client(f"{node.url}/agents/echo", streaming=False) as client:
                await until(
                    functools.partial(client.get_task, GetTaskRequest(id=task.id)),
                    what="the replicas know each other",
                    within=60,
                    retry_on=(TaskNotFoundError,),
                )


@pytest.fixture(scope="module", params=["HTTP", "libp2p"])
async def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("pair")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(center_registry())
        if request.param == "HTTP":
            nodes = [NodeProcess(folder, AGENTS, node_id=name, registry_url=url) for name in NAMES]
            one, two = await asyncio.gather(*(stack.enter_async_context(node) for node in nodes))
            found = Pair(one, two)
        else:
            assert sidecar_bundle().exists(), "run `make setup`"
            peers = [PeerNode(folder / name, AGENTS, node_id=name, registry_url=url) for name in NAMES]
            await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers))
            found = Pair(peers[0].node, peers[1].node, tuple(peers))
        await found.know_each_other()
        yield found


@pytest.fixture
async def two(pair: Pair) -> AsyncIterator[Client]:
    async with a2a_client(f"{pair.two.url}/agents/slow") as client:
        yield client


async def begin(node: NodeProcess, **message: str) -> str:
    async with a2a_client(f"{node.url}/agents/slow", streaming=False) as client:
        return (await send(client, says("hello", configuration=AT_ONCE, **message))).id


async def test_a_task_names_the_node_that_holds_it(pair: Pair, two: Client) -> None:
    task_id = await begin(pair.one)

    assert task_id.endswith(".one.default")
    await two.cancel_task(CancelTaskRequest(id=task_id))


async def test_any_replica_tells_of_a_task_and_ends_it(pair: Pair, two: Client) -> None:
    task_id = await begin(pair.one)

    assert (await two.get_task(GetTaskRequest(id=task_id))).status.state == TaskState.TASK_STATE_WORKING
    canceled = await two.cancel_task(CancelTaskRequest(id=task_id))

    assert canceled.status.state == TaskState.TASK_STATE_CANCELED
    assert (await two.get_task(GetTaskRequest(id=task_id))).status.state == TaskState.TASK_STATE_CANCELED


async def test_any_replica_streams_what_happens_to_a_task(pair: Pair, two: Client) -> None:
    task_id = await begin(pair.one)
    reading = two.subscribe(SubscribeToTaskRequest(id=task_id))

    assert (await anext(reading)).task.id == task_id
    await two.cancel_task(CancelTaskRequest(id=task_id))
    [last] = [event async for event in reading]

    assert last.status_update.status.state == TaskState.TASK_STATE_CANCELED
    with pytest.raises(UnsupportedOperationError):
        await anext(two.subscribe(SubscribeToTaskRequest(id=task_id)))


async def test_any_replica_says_why_a_task_takes_no_message(pair: Pair, two: Client) -> None:
    task_id = await begin(pair.one, context_id="mine")

    with pytest.raises(InvalidParamsError, match="is of the context mine, not another"):
        await stream(two, says("more", task_id=task_id, context_id="another"))
    await two.cancel_task(CancelTaskRequest(id=task_id))
    with pytest.raises(UnsupportedOperationError, match="has ended"):
        await stream(two, says("more", task_id=task_id))


async def test_the_tasks_of_all_replicas_are_listed_page_by_page(pair: Pair, two: Client) -> None:
    begun = [await begin(node, context_id="spread") for node in (pair.one, pair.two, pair.one, pair.two, pair.one)]
    for task_id in begun:
        await two.cancel_task(CancelTaskRequest(id=task_id))

    listed, token = [], ""
    while True:
        page = await two.list_tasks(ListTasksRequest(context_id="spread", page_size=2, page_token=token))
        assert page.total_size == 5
        listed += list(page.tasks)
        token = page.next_page_token
        if not token:
            break

    assert sorted(task.id for task in listed) == sorted(begun)
    times = [task.status.timestamp.ToNanoseconds() for task in listed]
    assert times == sorted(times, reverse=True)


async def test_any_replica_is_told_where_to_tell_of_the_end_of_a_task(pair: Pair, two: Client) -> None:
    task_id = await begin(pair.one)
    config = TaskPushNotificationConfig(task_id=task_id, id="mine", url="https://example.com/told")
    asked = GetTaskPushNotificationConfigRequest(task_id=task_id, id="mine")

    created = await two.create_task_push_notification_config(config)
    assert (await two.get_task_push_notification_config(asked)).url == created.url == config.url
    every = ListTaskPushNotificationConfigsRequest(task_id=task_id)
    assert [each.id for each in (await two.list_task_push_notification_configs(every)).configs] == ["mine"]
    await two.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(task_id=task_id, id="mine"))

    assert not (await two.list_task_push_notification_configs(every)).configs
    await two.cancel_task(CancelTaskRequest(id=task_id))


async def test_a_task_whose_node_is_not_there_is_not_found(two: Client) -> None:
    with pytest.raises(TaskNotFoundError, match="its node is gone"):
        await two.get_task(GetTaskRequest(id="0123456789abcdef.gone.default"))


@pytest.mark.parametrize("subject", ["José", "tab\tand\nline", "100%41 \ud83d"])
async def test_a_caller_finds_its_tasks_at_any_replica_whatever_it_is_called(pair: Pair, subject: str) -> None:
    mine, others = ({"Authorization": f"Bearer {SIGNS.token(sub=each)}"} for each in (subject, "jos"))
    at_one, at_two = (f"{node.url}/agents/guarded" for node in (pair.one, pair.two))
    async with (
        a2a_client(at_one, streaming=False, headers=mine) as first,
        a2a_client(at_two, headers=mine) as second,
        a2a_client(at_two, headers=others) as stranger,
    ):
        task = await send(first, says("hello"))

        assert await second.get_task(GetTaskRequest(id=task.id)) == task
        assert task.id in [each.id for each in (await second.list_tasks(ListTasksRequest())).tasks]
        with pytest.raises(TaskNotFoundError):
            await stranger.get_task(GetTaskRequest(id=task.id))


async def test_a_replica_that_hangs_holds_up_no_list_and_the_log_says_whose_tasks_are_missing(
    pair: Pair, two: Client
) -> None:
    begun = [await begin(node, context_id="halved") for node in (pair.one, pair.two)]

    async def listed() -> list[str]:
        return sorted(task.id for task in (await two.list_tasks(ListTasksRequest(context_id="halved"))).tasks)

    pair.one.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(15):
            assert await listed() == begun[1:]
    finally:
        pair.one.signal(signal.SIGCONT)
    [missing] = [line for line in pair.two.log if "a list is without the tasks" in line]
    assert 'node="one.default"' in missing
    assert "DeadlineExceeded" in missing

    async def all_listed() -> bool:
        return await listed() == sorted(begun)

    await until(all_listed, what="the replica answers again", within=60)
    for task_id in begun:
        await two.cancel_task(CancelTaskRequest(id=task_id))


async def test_through_sidecars_the_official_client_streams_and_keeps_its_tasks_to_itself(pair: Pair) -> None:
    if not pair.peers:
        pytest.skip("these nodes have no sidecars")
    first, second = (peer.sidecar for peer in pair.peers)
    url = f"{pair.two.url}/agents/echo"
    async with (
        a2a_client(url, transport=ThroughSidecars(first, second)) as client,
        a2a_client(url, "HTTP+JSON", transport=ThroughSidecars(first, second)) as rest,
        a2a_client(url) as stranger,
    ):
        told = await stream(client, says("over libp2p"))
        task_id = told[0].task.id
        task = await rest.get_task(GetTaskRequest(id=task_id))
        by_rest = await stream(rest, says("as HTTP+JSON"))

        assert [each.WhichOneof("payload") for each in told] == [each.WhichOneof("payload") for each in by_rest]
        assert text_of(task) == "over libp2p"
        assert told[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        with pytest.raises(TaskNotFoundError):
            await stranger.get_task(GetTaskRequest(id=task_id))
        assert task_id not in [each.id for each in (await stranger.list_tasks(ListTasksRequest())).tasks]
        assert task_id in [each.id for each in (await client.list_tasks(ListTasksRequest())).tasks]
