"""Others, as an agent or a team asks them: in its own process, or anywhere in the mesh."""

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from isek.asking import Asks, CallContext, Runner
from isek.errors import IsekError
from isek.events import AskEnded, AskStarted
from isek.loop_result import Handoff

if TYPE_CHECKING:
    from isek.trace import Stopwatch


class Colleague(ABC):
    """Somebody who can be asked.

    Args:
        name: how they are called.
        description: what they are good for, in a sentence.
    """

    def __init__(self, name: str, description: str = "") -> None:
        self.name = name
        self._description = description

    @property
    def description(self) -> str:
        """What they are good for, in a sentence; empty: not known."""
        return self._description

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
        watch, error_code = _stopwatch(context), None
        try:
            answer = (await self.runner.respond(message, deeper)).answer()
            while isinstance(answer, Handoff) and answer.runner is not None:
                answer = (await answer.runner.respond(answer.message, deeper)).answer()
        except IsekError as error:
            error_code = error.code
            raise
        finally:
            if watch is not None:
                said = {"agent": self.name, "node": context.node_id, "path": "local", "error": error_code}
                context.children.append(watch.trace(**said, children=deeper.children))
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

    @property
    def description(self) -> str:
        """What the mesh knows of them at this moment."""
        return self._asks.describe(self.name)

    async def _ask(self, message: str, context: CallContext) -> Any:
        return (await self._asks.ask(self.name, message, context)).text


def _stopwatch(context: CallContext) -> "Stopwatch | None":
    """What times a call on a node. Scripts do without, and without pydantic."""
    if context.node_id is None:
        return None
    from isek.trace import Stopwatch  # noqa: PLC0415

    return Stopwatch()
