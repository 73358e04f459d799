"""Others, as an agent or a team asks them: in its own process, or anywhere in the mesh."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from isek.asking import Asks, CallContext, Runner
from isek.errors import CallError, IsekError
from isek.events import AskEnded, AskStarted
from isek.loop_result import Handoff
from isek.models.base import Message

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

    def described(self, context: CallContext) -> str:
        """The same, as far as whoever carries the messages of a run knows."""
        return self.description

    async def ask(self, message: str | Message, context: CallContext) -> Any:
        """Their answer; ``context`` is that of who asks.

        Raises:
            IsekError: there is none.
        """
        said = message if isinstance(message, str) else message.content
        context.tell(AskStarted(self.name, said, context.agent))
        begun, error_code = time.monotonic(), None
        try:
            return await self._ask(message, context)
        except IsekError as error:
            error_code = error.code
            raise
        except asyncio.CancelledError:
            error_code = "Cancelled"
            raise
        finally:
            context.tell(AskEnded(self.name, time.monotonic() - begun, error_code, context.agent))

    @abstractmethod
    async def _ask(self, message: str | Message, context: CallContext) -> Any: ...


class Near(Colleague):
    """An agent or a team of this process."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner.name, runner.description)
        self.runner = runner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Near) and other.runner is self.runner

    def __hash__(self) -> int:
        return id(self.runner)

    async def _ask(self, message: str | Message, context: CallContext) -> Any:
        deeper = context.deeper()
        watch, error_code = _stopwatch(context), None
        try:
            result = await self.runner.respond(message, deeper)
            context.spent.append(result.total_tokens)
            answer = await handed_on(result.answer(), deeper)
        except IsekError as error:
            error_code = error.code
            raise
        except asyncio.CancelledError:
            error_code = "Cancelled"
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
        asks: what carries the message; None: what carries those of the run that asks.
    """

    def __init__(self, address: str, asks: Asks | None = None) -> None:
        super().__init__(address)
        self._asks = asks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Far) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def description(self) -> str:
        """What the mesh knows of them at this moment; nothing, where only the run knows who carries its messages."""
        return self._asks.describe(self.name) if self._asks else ""

    def described(self, context: CallContext) -> str:
        """What the mesh knows of them at this moment."""
        asks = self._asks or context.asks
        return asks.describe(self.name) if asks else ""

    async def _ask(self, message: str | Message, context: CallContext) -> Any:
        asks = self._asks or context.asks
        if asks is None:
            raise CallError(
                "NotInMesh",
                f"{self.name!r} is an address in a mesh, and this run is in none",
                hint="host who asks on an isek.Node, or give it the other agent itself",
            )
        if isinstance(message, Message):
            if message.images:
                raise CallError(
                    "ImagesNotSupported",
                    f"{self.name!r} cannot be shown images: what goes to an address is text",
                    hint="ask an agent of the same process",
                    status=400,
                )
            message = message.content
        return (await asks.ask(self.name, message, context)).text


async def handed_on(answer: Any, context: CallContext) -> Any:
    """The answer, of whoever it was handed over to; in a script, the ``Handoff`` to an address elsewhere.

    Raises:
        IsekError: they have none.
    """
    while isinstance(answer, Handoff):
        if answer.runner is None and context.asks is None:
            break
        colleague = Far(answer.target) if answer.runner is None else Near(answer.runner)
        answer = await colleague.ask(answer.message, context)
    return answer


def _stopwatch(context: CallContext) -> "Stopwatch | None":
    """What times a call on a node. Scripts do without, and without pydantic."""
    if context.node_id is None:
        return None
    from isek.trace import Stopwatch  # noqa: PLC0415

    return Stopwatch()
