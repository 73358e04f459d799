"""What everybody has who answers messages in Python: an agent, a team, an adapter."""

import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from isek.asking import CallContext
from isek.errors import IsekError
from isek.events import Event, RunEnded, TextDelta, ToolStarted
from isek.loop_result import Handoff, LoopExit, LoopResult
from isek.models.base import Message
from isek.streaming import events_of
from isek.sync import wait_for


class Answering(ABC):
    """Answers messages, for a script or a node.

    Args:
        name: how others call it.
        description: what it is good for, in a sentence; others read it.
    """

    def __init__(self, name: str, description: str = "") -> None:
        self.name = name
        self.description = description
        self._session_id = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        """Answer within ``context``; what a node calls. Never raises an ``IsekError``."""

    async def aclose(self) -> None:  # noqa: B027  (not all hold something open)
        """Let go of connections."""

    def run(self, message: str | Message, user_id: str = "default", session_id: str | None = None) -> LoopResult:
        """Answer ``message``; printed, the result is the answer. See :meth:`arun`.

        Raises:
            RuntimeError: the caller is asynchronous itself.
        """
        return wait_for(self.arun(message, user_id, session_id), "await arun() instead")

    async def arun(self, message: str | Message, user_id: str = "default", session_id: str | None = None) -> LoopResult:
        """Answer ``message``. A run that fails is a result too: its ``exit`` says how it ended.

        Where an agent hands over to another of this process, the result is the other's.

        Args:
            message: what to do; a ``Message`` may show images.
            user_id: whose memories may be used.
            session_id: the conversation that the message goes on with; default: the one of this object.
        """
        return await self._answered(message, self._context(user_id, session_id))

    def stream(
        self, message: str | Message, user_id: str = "default", session_id: str | None = None
    ) -> AsyncGenerator[Event]:
        """What happens while it answers, step by step; ``RunEnded`` with the result is the last. Whoever stops
        listening ends the run."""
        return events_of(lambda context: self._answered(message, context), self._context(user_id, session_id))

    def print_response(
        self, message: str | Message, user_id: str = "default", session_id: str | None = None
    ) -> LoopResult:
        """Print the answer as it comes.

        Raises:
            RuntimeError: the caller is asynchronous itself.
        """
        return wait_for(self.aprint_response(message, user_id, session_id), "await aprint_response() instead")

    async def aprint_response(
        self, message: str | Message, user_id: str = "default", session_id: str | None = None
    ) -> LoopResult:
        """As :meth:`print_response`, for asynchronous programs."""
        speaker, in_line = self.name, False
        async for event in self.stream(message, user_id, session_id):
            if isinstance(event, TextDelta) and event.agent == speaker:
                sys.stdout.write(event.text)
                sys.stdout.flush()
                in_line = True
                continue
            if isinstance(event, RunEnded):
                result = event.result
            if event.agent != speaker:
                continue
            handed_over = isinstance(event, RunEnded) and event.result.exit is LoopExit.HANDOFF
            if in_line and (isinstance(event, ToolStarted) or handed_over):  # what was said was not the answer yet
                sys.stdout.write("\n")
                in_line = False
            if handed_over:
                speaker = result.payload.target
        if in_line:
            sys.stdout.write("\n")
        if not in_line or result.failed:
            sys.stdout.write(f"{result}\n")
        return result

    async def _answered(self, message: str | Message, context: CallContext) -> LoopResult:
        """What comes of it in the end: those of this process to whom it is handed over answer."""
        result = await self.respond(message, context)
        while isinstance(handoff := result.payload, Handoff) and handoff.runner is not None:
            try:
                context = context.deeper()
            except IsekError as error:
                result = LoopResult(LoopExit.ERROR, errors=(error,))
                context.tell(RunEnded(handoff.target, result))
            else:
                result = await handoff.runner.respond(handoff.message, context)
        return result

    def _context(self, user_id: str, session_id: str | None) -> CallContext:
        if session_id is None:
            self._session_id = session_id = self._session_id or uuid.uuid4().hex
        return CallContext(deadline=float("inf"), session_id=session_id, user_id=user_id)


def message_of(message: str | Message) -> Message:
    """What was said, as a message.

    Raises:
        TypeError: it is neither a text nor a message.
    """
    if isinstance(message, Message):
        return message
    if not isinstance(message, str):
        raise TypeError(f"a message is a text or a Message, not {message!r}")
    return Message("user", message)
