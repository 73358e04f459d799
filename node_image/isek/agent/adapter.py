"""Agents of other frameworks, as agents of Isek."""

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any

from isek.agent.limits import Limits
from isek.agent.run import Tally, run_within
from isek.answering import Answering, message_of
from isek.asking import CallContext
from isek.calling import outcome
from isek.errors import IsekError, RunError
from isek.loop_result import LoopResult
from isek.models.base import Message


class Adapter(Answering):
    """Lets something else answer: subclass it, and call the other framework's agent in ``answer``.

    What it becomes answers in a script, on a node, as a tool and as a member of teams, like every agent.

    Args:
        name: how others call it.
        description: what it is good for, in a sentence; others read it.
        limits: what a run may take; of these, the time.
    """

    def __init__(self, name: str, description: str = "", *, limits: Limits = Limits()) -> None:  # noqa: B008
        super().__init__(name, description)
        self.limits = limits

    @abstractmethod
    def answer(self, message: str, context: CallContext) -> str | Awaitable[str]:
        """The answer to ``message``. Either asynchronous, or it runs in a thread. Whatever it raises ends the run."""

    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        """Answer within ``context``; what a node calls. Never raises an ``IsekError``."""

        asked = message_of(message)

        async def work(bounded: CallContext, tally: Tally) -> Any:
            if asked.images:
                raise RunError(
                    "ImagesNotSupported",
                    f"{self.name!r} is an adapter, which cannot be shown images",
                    hint="say in words what they show",
                    status=400,
                )
            tally.iterations = 1
            return await self._answer(asked.content, bounded)

        return await run_within(
            work,
            name=self.name,
            message=asked.content,
            timeout_seconds=self.limits.timeout_seconds,
            context=context,
        )

    async def _answer(self, message: str, context: CallContext) -> str:
        try:
            return str(await outcome(self.answer, message, context))
        except IsekError:
            raise
        except (Exception, SystemExit) as error:
            raise RunError(
                "AdapterFailed",
                f"{self.name!r} failed: {type(error).__name__}: {error}",
                hint="it is the agent behind the adapter that failed",
                status=502,
            ) from error
