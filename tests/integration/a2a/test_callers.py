"""Callers with tokens: what they show counts by each binding, is theirs alone, and reaches no log."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from a2a.client import Client, ClientCallContext
from a2a.types import (
    AuthenticationInfo,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    SendMessageConfiguration,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import A2AError, TaskNotFoundError
from aiohttp import web

from tests.support.a2a import BINDINGS, HEADERS, a2a_client, says
from tests.support.node_process import NodeProcess, agent, scripted
from tests.support.tokens import AUDIENCE, ISSUER, Issuer
from tests.support.waiting import until
from tests.support.web_server import web_server

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
SIGNS = Issuer("one")
OUTSIDE = {
    "from": "Authenticated",
    "tokensSecret": {"name": "callers"},
    "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": SIGNS.key_set()},
}
V1 = BINDINGS[:3]
each_binding = pytest.mark.parametrize("binding", [name for name, _ in V1])
AT_ONCE = SendMessageConfiguration(return_immediately=True)


async def receive(request: web.Request) -> web.Response:
    """A caller's server, which takes what is pushed to it, but for one path."""
    await request.read()
    return web.Response(status=400 if request.path == "/refuses" else 200)


@pytest.fixture(scope="module")
async def hook() -> AsyncIterator[str]:
    async with web_server(receive) as url:
        yield url


@pytest.fixture(scope="module")
async def guarding(tmp_path_factory: pytest.TempPathFactory, hook: str) -> AsyncIterator[NodeProcess]:
    folder: Path = tmp_path_factory.mktemp("callers")
    (folder / "callers").mkdir()
    for name, token in (("alice", ALICE), ("bob", BOB)):
        (folder / "callers" / name).write_text(token)
    given: dict[str, Any] = {
        "access": {"outside": OUTSIDE},
        "pushNotifications": {"allowedHosts": [hook.removeprefix("http://")]},
    }
    agents = [
        agent("echo", {"provider": "Echo"}, **given),
        agent("broken", scripted({"error": "out of order"}), **given),
        agent("slow", scripted({"delayMilliseconds": 120000}, timeoutSeconds=120), **given),
    ]
    async with NodeProcess(folder, agents, grpc_port=0, access_dir=folder) as node:
        yield node


def showing(token: str) -> ClientCallContext:
    return ClientCallContext(service_parameters={"authorization": f"Bearer {token}"})


async def send(client: Client, token: str | None, configuration: SendMessageConfiguration | None = None) -> Task:
    asked = client.send_message(
        says("hello", configuration=configuration), context=None if token is None else showing(token)
    )
    [response] = [each async for each in asked]
    return response.task


@each_binding
async def test_each_binding_takes_the_same_tokens(guarding: NodeProcess, binding: str) -> None:
    async with a2a_client(f"{guarding.url}/agents/echo", binding, streaming=False) as client:
        for token in (ALICE, SIGNS.token()):
            assert (await send(client, token)).status.state == TaskState.TASK_STATE_COMPLETED
        for refused in (None, "nobody-0123456789abcdef", SIGNS.token(aud="somebody else")):
            with pytest.raises(A2AError):
                await send(client, refused)


@each_binding
async def test_a_task_is_its_callers_alone_whatever_is_asked_about_it(
    guarding: NodeProcess, hook: str, binding: str
) -> None:
    url = f"{guarding.url}/agents/slow"
    async with a2a_client(url, binding, streaming=False) as client, a2a_client(url, binding) as reader:
        task = await send(client, ALICE, AT_ONCE)
        pushed = TaskPushNotificationConfig(task_id=task.id, id="mine", url=hook)
        await client.create_task_push_notification_config(pushed, context=showing(ALICE))
        bob = showing(BOB)
        one = {"task_id": task.id, "id": "mine"}

        assert not (await client.list_tasks(ListTasksRequest(), context=bob)).tasks
        for asking in (
            client.get_task(GetTaskRequest(id=task.id), context=bob),
            client.cancel_task(CancelTaskRequest(id=task.id), context=bob),
            anext(aiter(reader.subscribe(SubscribeToTaskRequest(id=task.id), context=bob))),
            anext(aiter(reader.send_message(says("more", task_id=task.id), context=bob))),
            client.create_task_push_notification_config(pushed, context=bob),
            client.get_task_push_notification_config(GetTaskPushNotificationConfigRequest(**one), context=bob),
            client.list_task_push_notification_configs(
                ListTaskPushNotificationConfigsRequest(task_id=task.id), context=bob
            ),
            client.delete_task_push_notification_config(DeleteTaskPushNotificationConfigRequest(**one), context=bob),
        ):
            with pytest.raises(TaskNotFoundError):
                await asking

        ended = await client.cancel_task(CancelTaskRequest(id=task.id), context=showing(ALICE))
        assert ended.status.state == TaskState.TASK_STATE_CANCELED


async def test_no_token_and_no_credentials_reach_the_log(guarding: NodeProcess, hook: str) -> None:
    good, late = SIGNS.token(), SIGNS.token(exp=1)
    bearer = AuthenticationInfo(scheme="Bearer", credentials="letmein")
    for name in ("echo", "broken"):
        for binding, version in BINDINGS:
            async with a2a_client(f"{guarding.url}/agents/{name}", binding, version, streaming=False) as client:
                for path in ("/takes", "/refuses"):
                    push = TaskPushNotificationConfig(
                        url=f"{hook}{path}?key=in-the-url", token="push-token-0123", authentication=bearer
                    )
                    told = SendMessageConfiguration(task_push_notification_config=push)
                    for token in (ALICE, good):
                        await send(client, token, told)
                for token in ("wrong-0123456789abcdef", late):
                    with pytest.raises(A2AError):
                        await send(client, token)
    for path, body in (("/v1/chat/completions", b"{}"), ("/agents/echo", b"no json"), ("/mcp", b"{}")):
        await post(guarding.url + path, body, ALICE)

    def ended() -> bool:
        return all(guarding.text.count(word) >= 16 for word in (": pushed", "was not delivered"))

    await until(ended, what="all pushes have come to something")
    assert "Unauthorized" in guarding.text
    assert "out of order" in guarding.text
    signatures = [token.rpartition(".")[2] for token in (good, late)]
    for secret in (ALICE, *signatures, "wrong-0123", "push-token-0123", "letmein", "in-the-url"):
        assert secret not in guarding.text
    assert "Traceback" not in guarding.text


async def post(url: str, body: bytes, token: str) -> None:
    """Whatever comes of it."""
    sent = HEADERS | {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=sent) as response:
        await response.read()
