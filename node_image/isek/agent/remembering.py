"""What one run has to do with its agent's memory."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from isek.log import log
from isek.loop_result import LoopExit
from isek.memory.errors import MemoryUnavailable
from isek.memory.memory import Invoke, Memory, Recollection
from isek.memory.records import Run, Session
from isek.models.base import Message, Model


@dataclass(frozen=True)
class Remembering:
    """Recalls what a run needs to know, and keeps what came of it."""

    memory: Memory
    session: Session
    asked: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _begun: float = field(default_factory=time.monotonic)

    async def recall(self, model: Model, invoke: Invoke) -> Recollection:
        """What is known.

        Raises:
            MemoryUnavailable: it cannot be told. An answer by somebody who has forgotten everything would be worse
                than none.
        """
        return await self.memory.recall(self.session, model, invoke)

    async def keep(
        self, ended: LoopExit, total_tokens: int, tool_calls: int, said: Sequence[Message] = (), error: str = ""
    ) -> MemoryUnavailable | None:
        """Keep the run. Where that cannot be, it says why: the run has ended as it has."""
        if error == MemoryUnavailable.__name__:
            return None  # it has been tried
        seconds = time.monotonic() - self._begun
        run = Run(self.asked, ended.value, self.started, seconds, total_tokens, tool_calls, error)
        try:
            await self.memory.record(self.session, run, said)
        except MemoryUnavailable as problem:
            log().warning("a run of {} will not be remembered: {}", self.session.agent_id, problem)
            return problem
        return None
