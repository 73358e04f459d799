"""A2A over JSON-RPC (https://a2a-protocol.org/latest/specification/), versions 1.0 and 0.3, by the official SDK.

An agent answers a message with a message: there are no tasks to fetch, to cancel or to subscribe to yet, and the
methods for them say so.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn
from uuid import uuid4

from a2a.helpers.proto_helpers import get_message_text
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Part,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    ExtendedAgentCardNotConfiguredError,
    InternalError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from starlette.requests import Request
from starlette.responses import Response

from isek.asking import Answer
from isek.errors import IsekError
from isek.protocol import headers
from isek.trace import TRACE_KEY

Answers = Callable[[str, str | None], Awaitable[Answer]]
"""Gets the message and the context id, as session."""

CALL = "isek.call"
"""Where a request holds its ``_Call``."""


@dataclass
class _Call:
    """One request: who is to answer, and what came of it."""

    answer: Answers
    error: IsekError | None = None


class A2AServer:
    """Answers JSON-RPC requests."""

    def __init__(self) -> None:
        self._dispatcher = JsonRpcDispatcher(_MessageHandler(), _ContextBuilder(), enable_v0_3_compat=True)

    async def respond(self, request: Request, answer: Answers) -> Response:
        """What ``answer`` says to ``request``, whatever comes of it: errors are JSON-RPC errors.

        A node that cannot take the request now says so in the HTTP status as well, for whoever stands in between.
        """
        call = request.scope[CALL] = _Call(answer)
        response = await self._dispatcher.handle_requests(request)
        if call.error is not None and (retry_after := headers.retry_after(call.error.status)):
            response.status_code = call.error.status
            response.headers.update(retry_after)
        return response


class _ContextBuilder(ServerCallContextBuilder):
    def build(self, request: Request) -> ServerCallContext:
        return ServerCallContext(state={"headers": dict(request.headers), CALL: request.scope[CALL]})


class _MessageHandler(RequestHandler):
    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Message | Task:
        asked = params.message
        if asked.task_id:
            raise TaskNotFoundError
        if not all(part.HasField("text") for part in asked.parts):
            raise ContentTypeNotSupportedError("this agent takes text parts only")
        call: _Call = context.state[CALL]
        try:
            answer = await call.answer(get_message_text(asked), asked.context_id or None)
        except IsekError as error:
            call.error = error
            raise _a2a_error(error) from error
        message = Message(
            message_id=str(uuid4()),
            context_id=asked.context_id or str(uuid4()),
            role=Role.ROLE_AGENT,
            parts=[Part(text=answer.text)],
        )
        if answer.trace is not None:
            message.metadata.update({TRACE_KEY: answer.trace.model_dump(mode="json", by_alias=True, exclude_none=True)})
        return message

    def on_message_send_stream(self, params: SendMessageRequest, context: ServerCallContext) -> AsyncGenerator[Event]:
        _no_streaming()

    def on_subscribe_to_task(self, params: SubscribeToTaskRequest, context: ServerCallContext) -> AsyncGenerator[Event]:
        _no_streaming()

    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        raise TaskNotFoundError

    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        return ListTasksResponse()

    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        raise TaskNotFoundError

    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        raise PushNotificationNotSupportedError

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        raise PushNotificationNotSupportedError

    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        raise PushNotificationNotSupportedError

    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        raise PushNotificationNotSupportedError

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        raise ExtendedAgentCardNotConfiguredError


def _no_streaming() -> NoReturn:
    raise UnsupportedOperationError("this agent does not stream")


def _a2a_error(error: IsekError) -> A2AError:
    kind = InvalidParamsError if error.code == "InvalidRequest" else InternalError
    return kind(str(error), data={"code": error.code, "message": error.message, "hint": error.hint})
