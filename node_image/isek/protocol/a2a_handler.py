"""What A2A's operations do, whatever the binding (https://a2a-protocol.org/latest/specification/, section 3.1).

Every message begins a task, which is one run of the agent. A task belongs to this process: its id ends with the id of
the node.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from uuid import NAMESPACE_URL, uuid4, uuid5

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.server.tasks import TaskStore
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
    SendMessageRequest,
    SendMessageResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.types import Message as A2AMessage
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InternalError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.task import apply_history_length, validate_history_length, validate_page_size
from google.protobuf.empty_pb2 import Empty

from isek.errors import IsekError
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_context import TRACE, call_of
from isek.protocol.a2a_parts import context_id_of, message_of
from isek.protocol.a2a_push import Pushes, check
from isek.protocol.a2a_replicas import Replicas
from isek.protocol.a2a_run import Run
from isek.protocol.a2a_state import ENDED, status
from isek.protocol.a2a_store import TaskMemory, merged

ExtendedCard = Callable[[Call], Awaitable[AgentCard]]


class TaskHandler(RequestHandler):
    """The tasks of the agents of one node.

    Args:
        node_id: ends the ids of tasks.
        replicas: hold the other tasks of the same agents.
        store: remembers those of this node.
        pushes: tell of their ends.
        extended_card: makes the card of an agent for one who is known; None: there are none.
    """

    def __init__(
        self,
        node_id: str,
        replicas: Replicas,
        *,
        store: TaskStore | None = None,
        pushes: Pushes | None = None,
        extended_card: ExtendedCard | None = None,
    ) -> None:
        self._extended_card = extended_card
        self._node_id = node_id
        self._replicas = replicas
        self._store = store or TaskMemory()
        self._pushes = pushes or Pushes()
        self._runs: dict[str, Run] = {}

    async def aclose(self) -> None:
        """End all runs, and close the connections."""
        await self._replicas.close()
        await asyncio.gather(*(run.cancel() for run in tuple(self._runs.values())))
        await self._pushes.aclose()

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> A2AMessage | Task:
        """Begin a task, and wait for its end unless told not to. Who goes away while waiting, alone, ends it."""
        at_once = params.configuration.return_immediately
        run = await self._begin(params, context, told=at_once)
        if at_once:
            await run.begun()
        else:
            try:
                await run.ended()
            except asyncio.CancelledError:
                if not run.watched:
                    await run.leave()
                raise
        await self._check_begun(run, context)
        return apply_history_length(run.snapshot() if at_once else run.task, params.configuration)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Begin a task, and say all that happens to it. It goes on when nobody listens."""
        run = await self._begin(params, context, told=True)
        updates = run.watch()
        await run.begun()
        await self._check_begun(run, context)
        async with aclosing(run.read(updates)) as stream:
            async for update in stream:
                yield apply_history_length(update, params.configuration) if isinstance(update, Task) else update

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """The task as it is, and all that happens to it from now on."""
        call = call_of(context)
        if (holder := self._replicas.holder(params.id, call)) is not None:
            async with aclosing(self._replicas.stream(holder, call, "SubscribeToTask", params)) as events:
                async for event in events:
                    yield event
            return
        task = await self._find(params.id, context)
        run = self._runs.get(task.id)
        if run is None:
            raise UnsupportedOperationError(f"task {task.id} has ended: {TaskState.Name(task.status.state)}")
        async with aclosing(run.read(run.watch())) as stream:
            async for update in stream:
                yield update

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """The task as it is."""
        validate_history_length(params)
        call = call_of(context)
        if (holder := self._replicas.holder(params.id, call)) is not None:
            return await self._replicas.ask(holder, call, "GetTask", params, Task())
        return apply_history_length(self._now(await self._find(params.id, context)), params)

    @validate_request_params
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """The caller's tasks with this agent on all nodes, the one that changed last first."""
        validate_history_length(params)
        if params.HasField("page_size"):
            validate_page_size(params.page_size)
        page = await self._store.list(params, context)
        for task in page.tasks:
            if params.include_artifacts:
                task.CopyFrom(self._now(task))
            else:
                task.ClearField("artifacts")
            if params.HasField("history_length"):
                task.CopyFrom(apply_history_length(task, params))
        call = call_of(context)
        return merged([page, *await self._replicas.ask_all(call, "ListTasks", params, ListTasksResponse)])

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        """End the run, and say how the task ended."""
        call = call_of(context)
        if (holder := self._replicas.holder(params.id, call)) is not None:
            return await self._replicas.ask(holder, call, "CancelTask", params, Task())
        task = await self._find(params.id, context)
        run = self._runs.get(task.id)
        if run is not None:
            await run.cancel()
            task = run.task
        if run is None or task.status.state != TaskState.TASK_STATE_CANCELED:
            raise TaskNotCancelableError(f"task {task.id} has ended: {TaskState.Name(task.status.state)}")
        return task

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Tell at a URL when the task has ended."""
        check(params, call_of(context))
        call = call_of(context)
        if (holder := self._replicas.holder(params.task_id, call)) is not None:
            return await self._replicas.ask(
                holder, call, "CreateTaskPushNotificationConfig", params, TaskPushNotificationConfig()
            )
        task = await self._find(params.task_id, context)
        if task.id not in self._runs:
            raise UnsupportedOperationError(f"task {task.id} has ended: {TaskState.Name(task.status.state)}")
        return self._pushes.add(task.id, params, call_of(context))

    @validate_request_params
    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Where it is told, by the id of the configuration."""
        call = call_of(context)
        if (holder := self._replicas.holder(params.task_id, call)) is not None:
            return await self._replicas.ask(
                holder, call, "GetTaskPushNotificationConfig", params, TaskPushNotificationConfig()
            )
        return self._pushes.one((await self._pushed(params.task_id, context)).id, params.id)

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """Everywhere it is told: ten at most, all on one page."""
        call = call_of(context)
        if (holder := self._replicas.holder(params.task_id, call)) is not None:
            return await self._replicas.ask(
                holder, call, "ListTaskPushNotificationConfigs", params, ListTaskPushNotificationConfigsResponse()
            )
        task = await self._pushed(params.task_id, context)
        return ListTaskPushNotificationConfigsResponse(configs=self._pushes.of(task.id))

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Tell there no more."""
        call = call_of(context)
        if (holder := self._replicas.holder(params.task_id, call)) is not None:
            await self._replicas.ask(holder, call, "DeleteTaskPushNotificationConfig", params, Empty())
            return
        self._pushes.remove((await self._pushed(params.task_id, context)).id, params.id)

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """What the public card does not tell, for callers who are known."""
        call = call_of(context)
        if self._extended_card is None or not call.owner:
            raise UnsupportedOperationError("this agent has no extended card for callers that it does not know")
        try:
            return await self._extended_card(call)
        except IsekError as error:
            raise a2a_error(error) from error

    async def _begin(self, params: SendMessageRequest, context: ServerCallContext, *, told: bool) -> Run:
        validate_history_length(params.configuration)
        push = params.configuration.task_push_notification_config
        pushed = params.configuration.HasField("task_push_notification_config")
        if pushed:
            check(push, call_of(context))
        asked = params.message
        if asked.task_id:
            await self._refuse_more(params, context)
        message = message_of(asked)
        task = self._new_task(asked, call_of(context))
        await self._store.save(task, context)
        if pushed:
            self._pushes.add(task.id, push, call_of(context))
        run = self._runs[task.id] = Run(
            task,
            message,
            call_of(context),
            lambda ended: self._keep(ended, context),
            told=told,
            traced=TRACE.uri in context.requested_extensions,
            accepted=tuple(params.configuration.accepted_output_modes),
        )
        return run

    async def _refuse_more(self, params: SendMessageRequest, context: ServerCallContext) -> None:
        """Say why a task that there is takes no further message."""
        asked, call = params.message, call_of(context)
        if (holder := self._replicas.holder(asked.task_id, call)) is not None:
            await self._replicas.ask(holder, call, "SendMessage", params, SendMessageResponse())
        task = await self._find(asked.task_id, context)
        if asked.context_id and asked.context_id != task.context_id:
            raise InvalidParamsError(f"task {task.id} is of the context {task.context_id}, not {asked.context_id}")
        ended = task.status.state in ENDED
        raise UnsupportedOperationError(
            f"task {task.id} {'has ended' if ended else 'asks for nothing'}: leave out taskId to begin another one in "
            f"its context"
        )

    def _new_task(self, asked: A2AMessage, call: Call) -> Task:
        task = Task(
            id=f"{uuid4().hex}.{self._node_id}",
            context_id=context_id_of(asked) or _new_context(call),
            status=status(TaskState.TASK_STATE_SUBMITTED),
            history=[asked],
        )
        task.history[0].task_id = task.id
        task.history[0].context_id = task.context_id
        return task

    async def _check_begun(self, run: Run, context: ServerCallContext) -> None:
        """Raise why the task was not begun, if it was not; then there is none."""
        if run.refused is not None:
            self._runs.pop(run.task.id, None)
            await self._store.delete(run.task.id, context)
            self._pushes.forget(run.task.id)
            call_of(context).refused = run.refused
            raise a2a_error(run.refused)

    async def _keep(self, ended: Task, context: ServerCallContext) -> None:
        del self._runs[ended.id]
        await self._store.save(ended, context)
        self._pushes.ended(ended)

    async def _find(self, task_id: str, context: ServerCallContext) -> Task:
        task = await self._store.get(task_id, context)
        if task is None:
            raise TaskNotFoundError(f"there is no task {task_id!r}, or not for this caller")
        return task

    async def _pushed(self, task_id: str, context: ServerCallContext) -> Task:
        """The task, of an agent that tells of its tasks."""
        if call_of(context).push_hosts is None:
            raise PushNotificationNotSupportedError
        return await self._find(task_id, context)

    def _now(self, task: Task) -> Task:
        run = self._runs.get(task.id)
        return task if run is None else run.snapshot()


def _new_context(call: Call) -> str:
    """A conversation of its own; of a call that is told again, the same."""
    if call.context.idempotency_key is None:
        return uuid4().hex
    return uuid5(NAMESPACE_URL, "\0".join((call.agent, call.owner, call.context.idempotency_key.key))).hex


def a2a_error(error: IsekError) -> A2AError:
    """Ours, as one of A2A's."""
    kinds = {"InvalidRequest": InvalidParamsError, "ImagesNotSupported": ContentTypeNotSupportedError}
    kind = kinds.get(error.code, InternalError)
    return kind(str(error), data={"code": error.code, "message": error.message, "hint": error.hint})
