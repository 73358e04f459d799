"""Who is asked, where a test needs no mesh."""

import time
from collections.abc import Mapping

from isek.asking import Answer, CallContext
from isek.errors import IsekError
from isek.trace import Trace


class Directory:
    """Agents that answer by a table of addresses: with a text, ``{message}`` in it replaced, or with an error."""

    def __init__(self, answers: Mapping[str, str | IsekError], descriptions: Mapping[str, str] | None = None) -> None:
        self._answers = answers
        self._descriptions = descriptions or {}
        self.asked: list[tuple[str, str]] = []

    async def ask(self, address: str, message: str, context: CallContext) -> Answer:
        """See :class:`isek.asking.Asks`."""
        self.asked.append((address, message))
        answer = self._answers[address]
        failed = answer.code if isinstance(answer, IsekError) else None
        trace = Trace(agent=f"{address}.default", node="n", started_at="", duration_ms=1, error=failed)
        context.children.append(trace)
        if isinstance(answer, IsekError):
            raise answer
        return Answer(answer.replace("{message}", message), trace)

    def describe(self, address: str) -> str:
        """See :class:`isek.asking.Asks`."""
        return self._descriptions.get(address, "")


def context(seconds: float = 30) -> CallContext:
    """A call that has so many seconds."""
    return CallContext(deadline=time.monotonic() + seconds)
