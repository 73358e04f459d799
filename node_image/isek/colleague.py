"""Others, as an agent or a team asks them: in its own process, or anywhere in the mesh."""

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from isek.asking import Asks, CallContext, Runner
from isek.errors import IsekError
from isek.events import AskEnded, AskStarted
from isek.loop_result import Handoff

if TYPE_CHECKING:
    from isek.trace import Trace


class Colleague(ABC):
    """Somebody who can be asked.

    Args:
        name: how they are called.
        description: what they are good for, in a sentence.
    """

    def __init__(self, name: str, description: str = "") -> None:
        self.name = name
        self.description = description

    async def ask(self, message: str, context: CallContext) -> Any:
        """Their answer; ``context`` is that of who asks.

        Raises:
            IsekError: there is none.
        """
        context.tell(AskStarted(self.name, message))
        begun, error_code = time.monotonic(), None
        try:
            return await self._ask(message, context)
        except IsekError as error:
            error_code = error.code
            raise
        finally:
            context.tell(AskEnded(self.name, time.monotonic() - begun, error_code))

    @abstractmethod
    async def _ask(self, message: str, context: CallContext) -> Any: ...


class Near(Colleague):
    """An agent or a team of this process."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.name, runner.description)
        self.runner = runner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Near) and other.runner is self.runner

    def __hash__(self) -> int:
        return id(self.runner)

    async def _ask(self, message: str, context: CallContext) -> Any:
        deeper = context.deeper()
        started_at, begun, error_code = time.time(), time.monotonic(), None
        try:
            answer = (await self.runner.respond(message, deeper)).answer()
            while isinstance(answer, Handoff) and answer.runner is not None:
                answer = (await answer.runner.respond(answer.message, deeper)).answer()
        except IsekError as error:
            error_code = error.code
            raise
        finally:
            if context.node_id is not None:
                seconds = time.monotonic() - begun
                context.children.append(_trace(self.name, context.node_id, started_at, seconds, error_code, deeper))
        return answer


class Far(Colleague):
    """An agent or a team by its address in the mesh.

    Args:
        address: ``<agent>``, or ``<agent>.<namespace>``.
        asks: what carries the message.
    """

    def __init__(self, address: str, asks: Asks) -> None:
        super().__init__(address)
        self._asks = asks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Far) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    async def _ask(self, message: str, context: CallContext) -> Any:
        return (await self._asks.ask(self.name, message, context)).text


def _trace(
    name: str, node_id: str, started_at: float, seconds: float, error_code: str | None, run: CallContext
) -> "Trace":
    from isek.trace import Trace  # noqa: PLC0415  (pydantic, which scripts do without)

    return Trace(
        agent=name,
        node=node_id,
        path="local",
        started_at=datetime.fromtimestamp(started_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_ms=round(seconds * 1000, 3),
        error=error_code,
        children=run.children,
    )
