"""Push notifications (https://a2a-protocol.org/latest/specification/#43-push-notification-objects): a task that has
ended is told at the URLs that its caller has named for it."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from a2a.compat.v0_3.conversions import to_compat_task
from a2a.types import StreamResponse, Task, TaskPushNotificationConfig
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from isek.protocol.a2a_call import Call
from isek.protocol.push_sender import PushSender, check_url

MAX_OF_TASK = 10
MAX_TASKS = 10_000
"""With somebody to be told; the oldest are forgotten first."""
MAX_SECRET = 4096
"""Characters of a token, or of credentials."""

MAX_CONFIG_BYTES = 32 * 1024
"""With all its fields, unknown ones too: tasks may run for long."""


@dataclass(frozen=True)
class _Wanted:
    config: TaskPushNotificationConfig
    allowed: tuple[str, ...]
    """Hosts that may be told beside public ones."""
    in_v0_3: bool


class Pushes:
    """Who is to be told of which task.

    Args:
        sender: delivers.
    """

    def __init__(self, sender: PushSender | None = None) -> None:
        self._sender = sender or PushSender()
        self._wanted: OrderedDict[str, dict[str, _Wanted]] = OrderedDict()

    async def aclose(self) -> None:
        """Give what is under way a moment."""
        await self._sender.aclose()

    def add(self, task_id: str, config: TaskPushNotificationConfig, call: Call) -> TaskPushNotificationConfig:
        """Tell of ``task_id`` at ``config.url``, in the place of what had the same id; the configuration as it is kept.

        Raises:
            A2AError: nobody is told of the agent's tasks, or not there.
        """
        check(config, call)
        kept = TaskPushNotificationConfig()
        kept.CopyFrom(config)
        kept.task_id = task_id
        kept.id = kept.id or uuid4().hex
        of_task = self._wanted.setdefault(task_id, {})
        if kept.id not in of_task and len(of_task) >= MAX_OF_TASK:
            raise InvalidParamsError(f"task {task_id} has {MAX_OF_TASK} push configurations already: delete one")
        of_task[kept.id] = _Wanted(kept, call.push_hosts or (), call.speaks_v0_3)
        while len(self._wanted) > MAX_TASKS:
            self._wanted.popitem(last=False)
        return kept

    def of(self, task_id: str) -> list[TaskPushNotificationConfig]:
        """All of a task, as they came."""
        return [wanted.config for wanted in self._wanted.get(task_id, {}).values()]

    def one(self, task_id: str, config_id: str) -> TaskPushNotificationConfig:
        """One of a task.

        Raises:
            TaskNotFoundError: there is none of that id.
        """
        found = self._wanted.get(task_id, {}).get(config_id)
        if found is None:
            raise TaskNotFoundError(f"task {task_id} has no push configuration {config_id!r}")
        return found.config

    def remove(self, task_id: str, config_id: str) -> None:
        """Tell there no more; one that there is not is no error."""
        self._wanted.get(task_id, {}).pop(config_id, None)

    def forget(self, task_id: str) -> None:
        """The task is no more."""
        self._wanted.pop(task_id, None)

    def ended(self, task: Task) -> None:
        """Tell that it has ended, once."""
        bodies: dict[bool, bytes] = {}
        for wanted in self._wanted.pop(task.id, {}).values():
            if wanted.in_v0_3 not in bodies:
                bodies[wanted.in_v0_3] = _body(task, in_v0_3=wanted.in_v0_3)
            self._sender.send(wanted.config.url, bodies[wanted.in_v0_3], _headers(wanted.config), wanted.allowed)


def check(config: TaskPushNotificationConfig, call: Call) -> None:
    """Refuse what cannot be kept.

    Raises:
        A2AError: why.
    """
    if call.push_hosts is None:
        raise PushNotificationNotSupportedError(f"{call.agent} sends no push notifications: spec.pushNotifications")
    try:
        check_url(config.url, call.push_hosts)
    except ValueError as error:
        raise InvalidParamsError(f"nothing can be pushed to {config.url[:200]!r}: {error}") from None
    if config.ByteSize() > MAX_CONFIG_BYTES:
        raise InvalidParamsError(f"a push configuration takes at most {MAX_CONFIG_BYTES} bytes")
    secrets = (config.id, config.token, config.authentication.scheme, config.authentication.credentials)
    if any(len(secret) > MAX_SECRET or not _fits_a_header(secret) for secret in secrets):
        raise InvalidParamsError(f"token and credentials are for headers: up to {MAX_SECRET} printable characters")


def _fits_a_header(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _headers(config: TaskPushNotificationConfig) -> dict[str, str]:
    headers = {"Content-Type": "application/a2a+json"}
    if config.token:
        headers["X-A2A-Notification-Token"] = config.token
    if config.authentication.credentials:
        headers["Authorization"] = f"{config.authentication.scheme} {config.authentication.credentials}"
    return headers


def _body(task: Task, *, in_v0_3: bool) -> bytes:
    """In the form of the version that the caller speaks: 0.3 sent the task alone."""
    told: dict[str, Any]
    if in_v0_3:
        told = to_compat_task(task).model_dump(mode="json", by_alias=True, exclude_none=True)
    else:
        told = MessageToDict(StreamResponse(task=task))
    return json.dumps(told).encode()
