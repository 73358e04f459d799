"""Push notifications, by each binding and version, with the official client."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from a2a.client import Client
from a2a.types import (
    AuthenticationInfo,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    SendMessageConfiguration,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError, TaskNotFoundError
from aiohttp import web

from tests.support.a2a import BINDINGS, a2a_client, says, send
from tests.support.node_process import NodeProcess, agent, scripted
from tests.support.waiting import until
from tests.support.web_server import web_server

Interface = tuple[str, str]
V1 = BINDINGS[:3]
AT_ONCE = SendMessageConfiguration(return_immediately=True)
each_binding = pytest.mark.parametrize("interface", BINDINGS, ids=lambda each: f"{each[0]} {each[1]}")
each_binding_of_1_0 = pytest.mark.parametrize("interface", V1, ids=lambda each: f"{each[0]} {each[1]}")


@dataclass
class Hook:
    """Where a caller is told."""

    url: str = ""
    told: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.told.append((json.loads(await request.read()), dict(request.headers)))
        return web.Response()


@pytest.fixture(scope="module")
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    async with web_server(hook.receive) as hook.url:
        yield hook


@pytest.fixture(scope="module")
async def pushing(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> AsyncIterator[NodeProcess]:
    told = {"pushNotifications": {"allowedHosts": [hook.url.removeprefix("http://")]}}
    slow = scripted({"delayMilliseconds": 120000}, timeoutSeconds=120)
    agents = [
        agent("echo", {"provider": "Echo"}, **told),
        agent("slow", slow, **told),
        agent("silent", {"provider": "Echo"}),
    ]
    async with NodeProcess(tmp_path_factory.mktemp("pushing"), agents, grpc_port=0) as node:
        yield node


@asynccontextmanager
async def asking(node: NodeProcess, name: str, interface: Interface) -> AsyncIterator[Client]:
    async with a2a_client(f"{node.url}/agents/{name}", *interface, streaming=False) as client:
        yield client


def config(hook: Hook, task_id: str = "", path: str = "/hook", **more: Any) -> TaskPushNotificationConfig:
    return TaskPushNotificationConfig(task_id=task_id, url=hook.url + path, **more)


async def told(hook: Hook, task_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What came for a task: its body and headers."""

    def found() -> tuple[dict[str, Any], dict[str, str]] | None:
        return next((each for each in hook.told if task_id in str(each[0])), None)

    result: tuple[dict[str, Any], dict[str, str]] = await until(found, what=f"{task_id} is pushed")
    return result


@each_binding
async def test_who_asks_to_be_told_gets_the_task_once_it_has_ended(
    pushing: NodeProcess, hook: Hook, interface: Interface
) -> None:
    push = config(hook, token="secret", authentication=AuthenticationInfo(scheme="Bearer", credentials="letmein"))
    async with asking(pushing, "echo", interface) as client:
        task = await send(
            client, says("hello", configuration=SendMessageConfiguration(task_push_notification_config=push))
        )

    body, headers = await told(hook, task.id)
    said = body if interface[1] == "0.3" else body["task"]
    assert (said["id"], said["artifacts"][0]["parts"][0]["text"]) == (task.id, "hello")
    assert (headers["X-A2A-Notification-Token"], headers["Authorization"]) == ("secret", "Bearer letmein")


@each_binding_of_1_0
async def test_a_configuration_is_made_looked_at_listed_and_deleted(
    pushing: NodeProcess, hook: Hook, interface: Interface
) -> None:
    async with asking(pushing, "slow", interface) as client:
        task = await send(client, says("hello", configuration=AT_ONCE))
        made = await client.create_task_push_notification_config(config(hook, task.id, id="mine"))
        other = await client.create_task_push_notification_config(config(hook, task.id, "/other"))
        assert (made.id, made.task_id, made.url) == ("mine", task.id, f"{hook.url}/hook")
        assert other.id not in {"", "mine"}

        wanted = GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        assert await client.get_task_push_notification_config(wanted) == made
        everything = ListTaskPushNotificationConfigsRequest(task_id=task.id)
        assert list((await client.list_task_push_notification_configs(everything)).configs) == [made, other]

        gone = DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        await client.delete_task_push_notification_config(gone)
        await client.delete_task_push_notification_config(gone)
        assert list((await client.list_task_push_notification_configs(everything)).configs) == [other]
        with pytest.raises(TaskNotFoundError):
            await client.get_task_push_notification_config(wanted)

        await client.cancel_task(CancelTaskRequest(id=task.id))
    body, _ = await told(hook, task.id)
    assert body["task"]["status"]["state"] == "TASK_STATE_CANCELED"


@each_binding_of_1_0
@pytest.mark.parametrize("url", ["https://169.254.169.254/", "http://example.org/", "https://10.0.0.1/", "hook"])
async def test_nobody_is_sent_where_nobody_is_to_be_sent(pushing: NodeProcess, interface: Interface, url: str) -> None:
    async with asking(pushing, "slow", interface) as client:
        task = await send(client, says("hello", configuration=AT_ONCE))
        push = TaskPushNotificationConfig(task_id=task.id, url=url)
        with pytest.raises(InvalidParamsError, match="nothing can be pushed to"):
            await client.create_task_push_notification_config(push)
        await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_secrets_that_do_not_fit_into_a_header_are_refused(pushing: NodeProcess, hook: Hook) -> None:
    async with asking(pushing, "slow", V1[0]) as client:
        task = await send(client, says("hello", configuration=AT_ONCE))
        for token in ("a\r\nb: c", "é", "x" * 5000):
            with pytest.raises(InvalidParamsError, match="are for headers"):
                await client.create_task_push_notification_config(config(hook, task.id, token=token))
        await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_a_task_has_ten_configurations_at_most(pushing: NodeProcess, hook: Hook) -> None:
    async with asking(pushing, "slow", V1[0]) as client:
        task = await send(client, says("hello", configuration=AT_ONCE))
        for number in range(10):
            await client.create_task_push_notification_config(config(hook, task.id, id=str(number)))
        with pytest.raises(InvalidParamsError, match="10 push configurations already"):
            await client.create_task_push_notification_config(config(hook, task.id, id="10"))
        await client.create_task_push_notification_config(config(hook, task.id, "/again", id="9"))
        await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_the_configurations_of_a_task_that_is_not_there_are_not_found(pushing: NodeProcess, hook: Hook) -> None:
    async with asking(pushing, "echo", V1[0]) as client:
        with pytest.raises(TaskNotFoundError):
            await client.create_task_push_notification_config(config(hook, "nothing"))


@each_binding_of_1_0
async def test_an_agent_that_does_not_push_says_so(pushing: NodeProcess, hook: Hook, interface: Interface) -> None:
    async with asking(pushing, "silent", interface) as client:
        assert not (await card_of(pushing, "silent"))["capabilities"].get("pushNotifications")
        assert (await card_of(pushing, "echo"))["capabilities"]["pushNotifications"]
        with pytest.raises(PushNotificationNotSupportedError):
            await client.create_task_push_notification_config(config(hook, "any"))
        pushed = SendMessageConfiguration(task_push_notification_config=config(hook))
        with pytest.raises(PushNotificationNotSupportedError):
            await send(client, says("hello", configuration=pushed))


async def card_of(node: NodeProcess, name: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.url}/agents/{name}/.well-known/agent-card.json") as response,
    ):
        card: dict[str, Any] = await response.json()
        return card


async def test_no_traceback_and_no_secret_reached_the_log(pushing: NodeProcess) -> None:
    assert "Traceback" not in pushing.text
    assert "letmein" not in pushing.text
