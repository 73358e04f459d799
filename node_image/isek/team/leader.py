"""The leader of a team: decides who does what, and puts the answers together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar

from isek.agent.agent import IsekAgent
from isek.agent.run import Hook, Tally
from isek.asking import CallContext
from isek.colleague import Colleague
from isek.events import Event, RunEnded, RunStarted, TextDelta
from isek.models.base import Image, Message, Model

if TYPE_CHECKING:
    from pydantic import BaseModel

    from isek.team.decisions import Decisions

T = TypeVar("T")

OF_THE_TEAM = RunStarted | RunEnded
"""The beginning and the end of a run are the team's, whatever its leader does between them."""


class Leader:
    """Thinks for a team.

    Args:
        model: what thinks.
        instructions: the team's, beside what each decision needs.
        members: whom it may name.
        hooks: are told what its model does.
        images: that the task shows.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        instructions: str,
        members: Sequence[Colleague],
        *,
        hooks: tuple[Hook, ...] = (),
        images: tuple[Image, ...] = (),
    ) -> None:
        self._name = name
        self._model = model
        self._instructions = instructions
        self._members = members
        self._hooks = tuple(_but(OF_THE_TEAM, hook) for hook in hooks)
        self._images = images

    async def plan(self, task: str, context: CallContext, tally: Tally) -> list[tuple[str, str]]:
        """Who is to do what at the same time: members' names and what each is asked.

        Raises:
            RunError: the model made no plan.
        """
        said = await self._decide(
            "Split the task among the members that it needs: to each a request that is complete in itself.",
            self._decisions().plan,
            task,
            context,
            tally,
        )
        return [(each.member, each.request) for each in said.assignments]

    async def choose(self, task: str, context: CallContext, tally: Tally) -> str:
        """The member that fits the task best.

        Raises:
            RunError: the model named none.
        """
        said = await self._decide(
            "Name the one member that fits the task best.", self._decisions().choice, task, context, tally
        )
        return str(said.member)

    async def next_step(
        self, task: str, done: Sequence[tuple[str, str]], context: CallContext, tally: Tally
    ) -> tuple[str, str] | None:
        """Who is to do what next, after what the members ``done`` so far; None: nothing is left to do.

        Raises:
            RunError: the model decided nothing.
        """
        said = await self._decide(
            "Decide the next step: which member is asked what, complete in itself. "
            "Set finished, and no member, once the answers suffice.",
            self._decisions().step,
            _with_answers(task, done),
            context,
            tally,
        )
        return None if said.finished or said.member is None else (said.member, said.request)

    async def merge(self, task: str, answers: Sequence[tuple[str, str]], context: CallContext, tally: Tally) -> str:
        """One answer out of the members'.

        Raises:
            RunError: the model gave none.
        """
        instructions = "Answer the task from what the members answered; add nothing that they did not say."
        return str(await self._think(instructions, None, _with_answers(task, answers), context, tally))

    async def _decide(
        self, instructions: str, decision: "type[BaseModel]", task: str, context: CallContext, tally: Tally
    ) -> Any:
        if context.on_event is not None:  # what the leader decides is not the team's answer
            context = replace(context, on_event=_but(TextDelta, context.on_event))
        return await self._think(instructions, decision, task, context, tally)

    async def _think(self, instructions: str, output_type: Any, text: str, context: CallContext, tally: Tally) -> Any:
        described = "\n".join(f"- {each.name}: {each.described(context) or 'an agent'}" for each in self._members)
        parts = [self._instructions, "You lead a team. Its members are:\n" + described, instructions]
        agent = IsekAgent(
            self._name,
            model=self._model,
            instructions="\n\n".join(part for part in parts if part),
            output_type=output_type,
            hooks=self._hooks,
        )
        if context.on_event is not None:
            context = replace(context, on_event=_but(OF_THE_TEAM, context.on_event))
        result = await agent.respond(Message("user", text, images=self._images), context)
        tally.total_tokens += result.total_tokens
        return result.answer()

    def _decisions(self) -> "Decisions":
        from isek.team.decisions import decisions  # noqa: PLC0415  (pydantic, which teams without a leader do without)

        return decisions(tuple(each.name for each in self._members))


def _but(left_out: UnionType | type, tell: Callable[[Event], T]) -> Callable[[Event], T | None]:
    """What tells of all events but some."""
    return lambda event: None if isinstance(event, left_out) else tell(event)


def _with_answers(task: str, answers: Sequence[tuple[str, str]]) -> str:
    told = "\n\n".join(f"{member} answered:\n{answer}" for member, answer in answers)
    return f"{task}\n\n{told}" if told else task
