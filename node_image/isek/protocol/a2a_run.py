"""A task under way: the run of an agent, and all who watch it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any
from uuid import uuid4

from a2a.types import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import InternalError

from isek.asking import Answer, CallContext
from isek.cancelling import cancel
from isek.errors import CallError, IsekError
from isek.events import AskEnded, AskStarted, Event, TextDelta, ToolEnded, ToolStarted
from isek.models.base import Message as ModelMessage
from isek.protocol.a2a_call import Call
from isek.protocol.a2a_parts import answer_parts, sendable, structured_parts
from isek.protocol.a2a_state import ENDED, status
from isek.trace import TRACE_KEY, Trace
from isek.unexpected import unexpected_error

ANSWER = "answer"
"""The id of a task's one artifact."""
STEP_KEY = "isek.io/step"
ERROR_KEY = "isek.io/error"
MAX_BEHIND = 1_000
"""Events that a reader of a stream may be behind."""

Update = Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent
Updates = asyncio.Queue[Update | None]
"""What one stream has still to send; None is its end."""


class Run:
    """Works on a task.

    Args:
        task: submitted; it changes while the run goes on.
        message: what the agent is asked.
        call: the request that it came with.
        save: keeps the task as it is in the end.
        told: whether the answer is to come piece by piece.
        traced: whether the caller wants to know of each step, and who was asked.
        accepted: media types of answers that the caller takes; empty: all.
    """

    def __init__(
        self,
        task: Task,
        message: ModelMessage,
        call: Call,
        save: Callable[[Task], Awaitable[None]],
        *,
        told: bool,
        traced: bool,
        accepted: Collection[str] = (),
    ) -> None:
        self.task = task
        self.refused: IsekError | None = None
        """Why the agent has not begun; then it is as if the task had never been."""
        self._call = call
        self._save = save
        self._traced = traced
        self._accepted = accepted
        self._pieces: list[str] = []
        self._streams: list[Updates] = []
        context = replace(call.context, session_id=task.context_id, on_event=self._on_event if told else None)
        self._work = asyncio.create_task(self._work_until_ended(message, context), name=f"task {task.id}")

    @property
    def watched(self) -> bool:
        """Whether somebody reads along."""
        return bool(self._streams)

    async def begun(self) -> None:
        """Return once the agent is at work, or has refused: it decides that before it waits for anything."""
        await asyncio.sleep(0)

    async def ended(self) -> None:
        """Return once it has ended. It goes on when the caller is cancelled."""
        await asyncio.wait([self._work])

    async def cancel(self) -> None:
        """End it, and wait until it has ended."""
        await self.leave()
        self._call.give_up()

    async def leave(self) -> None:
        """End it as far as this caller is concerned, who has gone away."""
        await cancel(self._work)

    def snapshot(self) -> Task:
        """The task as it is now, with what there is of the answer."""
        task = Task()
        task.CopyFrom(self.task)
        if self._pieces and not task.artifacts:
            task.artifacts.append(_artifact(answer_parts("".join(self._pieces))))
        return task

    def watch(self) -> Updates:
        """The task as it is now, and from here on all that happens to it."""
        updates: Updates = asyncio.Queue()
        updates.put_nowait(self.snapshot())
        if self.task.status.state in ENDED:
            updates.put_nowait(None)
        else:
            self._streams.append(updates)
        return updates

    async def read(self, updates: Updates) -> AsyncGenerator[Update]:
        """What ``watch`` returned, until the end of the task. Whoever stops reading ends nothing.

        Raises:
            InternalError: this reader was too slow, and may subscribe again.
        """
        try:
            while (update := await updates.get()) is not None:
                yield update
        finally:
            if updates in self._streams:
                self._streams.remove(updates)
        if self.task.status.state not in ENDED:
            raise InternalError("the stream was read too slowly: subscribe to the task again")

    async def _work_until_ended(self, message: ModelMessage, context: CallContext) -> None:
        try:
            await self._answer(message, context)
        except Exception:  # whatever it is, who waits for the task is to see its end
            error = unexpected_error(f"task {self.task.id}")
            await self._end(TaskState.TASK_STATE_FAILED, self._reason(error))

    async def _answer(self, message: ModelMessage, context: CallContext) -> None:
        self._set(TaskState.TASK_STATE_WORKING)
        try:
            answer = await self._call.ask(message, context)
        except asyncio.CancelledError:
            await self._end(TaskState.TASK_STATE_CANCELED)
        except IsekError as error:
            if _not_begun(error):
                self.refused = error
                return
            rejected = error.code == "GuardrailBlocked"
            state = TaskState.TASK_STATE_REJECTED if rejected else TaskState.TASK_STATE_FAILED
            await self._end(state, self._reason(error), error.trace)
        else:
            await self._complete(answer)

    async def _complete(self, answer: Answer) -> None:
        parts = structured_parts(answer.text, self._accepted) if answer.structured else answer_parts(answer.text)
        if len(parts) > 1 or not self._pieces or "".join(self._pieces) != parts[0].text:
            self._publish(self._artifact_update(parts, append=False, last=True))
        self.task.artifacts.append(_artifact(parts))
        await self._end(TaskState.TASK_STATE_COMPLETED, trace=answer.trace)

    async def _end(self, state: TaskState, message: Message | None = None, trace: Trace | None = None) -> None:
        told: dict[str, Any] = {}
        if self._traced and trace is not None:
            told[TRACE_KEY] = trace.model_dump(mode="json", by_alias=True, exclude_none=True)
            self.task.metadata.update(told)
        self.task.status.CopyFrom(status(state, message))
        await self._save(self.task)
        self._publish(self._status_update(told))
        for updates in self._streams:
            updates.put_nowait(None)

    def _reason(self, error: IsekError) -> Message:
        message = Message(
            message_id=str(uuid4()),
            task_id=self.task.id,
            context_id=self.task.context_id,
            role=Role.ROLE_AGENT,
            parts=[Part(text=str(error))],
        )
        message.metadata.update({ERROR_KEY: {"code": error.code, "message": error.message, "hint": error.hint}})
        return message

    def _on_event(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            if event.agent == self._call.speaker:
                self._pieces.append(sendable(event.text))
                self._publish(self._artifact_update([Part(text=self._pieces[-1])], append=len(self._pieces) > 1))
            return
        if isinstance(event, ToolStarted) and event.agent == self._call.speaker:
            self._pieces.clear()  # what was said beside a call of a tool is not the answer
        if self._traced and isinstance(event, ToolStarted | ToolEnded | AskStarted | AskEnded):
            self._publish(self._status_update({STEP_KEY: _step(event)}))

    def _set(self, state: TaskState) -> None:
        self.task.status.CopyFrom(status(state))
        self._publish(self._status_update({}))

    def _status_update(self, metadata: dict[str, Any]) -> TaskStatusUpdateEvent:
        update = TaskStatusUpdateEvent(task_id=self.task.id, context_id=self.task.context_id, status=self.task.status)
        if metadata:
            update.metadata.update(metadata)
        return update

    def _artifact_update(self, parts: list[Part], *, append: bool, last: bool = False) -> TaskArtifactUpdateEvent:
        return TaskArtifactUpdateEvent(
            task_id=self.task.id,
            context_id=self.task.context_id,
            artifact=_artifact(parts),
            append=append,
            last_chunk=last,
        )

    def _publish(self, update: Update) -> None:
        for updates in tuple(self._streams):
            if updates.qsize() < MAX_BEHIND:
                updates.put_nowait(update)
            else:
                self._streams.remove(updates)
                updates.put_nowait(None)


def _artifact(parts: list[Part]) -> Artifact:
    return Artifact(artifact_id=ANSWER, name=ANSWER, parts=parts)


def _step(event: ToolStarted | ToolEnded | AskStarted | AskEnded) -> dict[str, Any]:
    what = event.tool if isinstance(event, ToolStarted | ToolEnded) else event.agent
    by = event.agent if isinstance(event, ToolStarted | ToolEnded) else event.by
    step: dict[str, Any] = {"step": type(event).__name__, "of": sendable(what), "by": by}
    if isinstance(event, ToolEnded | AskEnded):
        step["seconds"] = round(event.seconds, 3)
    return step


def _not_begun(error: IsekError) -> bool:
    """Whether the node or the agent would not even begin: nobody was asked, and the message is not at fault."""
    asked = error.trace is not None and error.trace.children
    refused = isinstance(error, CallError) and error.status in {401, 403, 404, 429, 503}
    return not asked and (refused or error.code == "ImagesNotSupported")
