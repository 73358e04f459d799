"""What one run has to do with its agent's memory."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from isek.asking import CallContext
from isek.log import log
from isek.loop_result import LoopExit, LoopResult
from isek.memory.errors import MemoryUnavailable
from isek.memory.memory import Invoke, Memory, Recollection
from isek.memory.records import Run, Session
from isek.models.base import Message, Model

KEEP_SECONDS = 15.0
GRACE_SECONDS = 1.0
"""For runs whose time is over: nobody waits for them any longer than that."""


@dataclass
class Remembering:
    """Recalls what a run needs to know, and keeps what came of it."""

    memory: Memory
    session: Session
    asked: str
    said: tuple[Message, ...] = ()
    """From the user's message to the answer, or to who is to give it, once there is one."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _begun: float = field(default_factory=time.monotonic)

    async def recall(self, model: Model, invoke: Invoke) -> Recollection:
        """What is known.

        Raises:
            MemoryUnavailable: it cannot be told. An answer by somebody who has forgotten everything would be worse
                than none.
        """
        return await self.memory.recall(self.session, model, invoke)

    async def keep(self, result: LoopResult, context: CallContext) -> MemoryUnavailable | None:
        """Keep the run. Where that cannot be, it says why: the run has ended as it has."""
        code = result.errors[0].code if result.failed else ""
        if code == MemoryUnavailable.__name__:
            return None  # it has been tried
        asked = "" if result.exit is LoopExit.GUARDRAIL_BLOCK else self.asked  # it may be what must not be kept
        seconds = time.monotonic() - self._begun
        run = Run(asked, result.exit.value, self.started, seconds, result.total_tokens, result.tool_calls, code)
        said = [replace(message, reasoning=None) for message in self.said]  # it is of use within a run only
        try:
            async with asyncio.timeout(max(GRACE_SECONDS, min(context.remaining_seconds(), KEEP_SECONDS))):
                await self.memory.record(self.session, run, said)
        except MemoryUnavailable as error:
            problem = error
        except TimeoutError:
            problem = MemoryUnavailable("the memory does not answer in time", hint="look at its database")
        else:
            return None
        log().warning("a run of {} will not be remembered: {}", self.session.agent_id, problem)
        return problem
