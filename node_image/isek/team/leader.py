"""The leader of a team: decides who does what, and puts the answers together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isek.agent.agent import IsekAgent
from isek.agent.run import Hook, Tally
from isek.asking import CallContext
from isek.colleague import Colleague
from isek.models.base import Model

if TYPE_CHECKING:
    from pydantic import BaseModel

    from isek.team.decisions import Decisions


class Leader:
    """Thinks for a team.

    Args:
        model: what thinks.
        instructions: the team's, beside what each decision needs.
        members: whom it may name.
        hooks: are told what its model does.
    """

    def __init__(
        self, name: str, model: Model, instructions: str, members: Sequence[Colleague], hooks: tuple[Hook, ...] = ()
    ) -> None:
        self._name = name
        self._model = model
        self._instructions = instructions
        self._members = members
        self._hooks = hooks

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
        agent = self._agent(
            "Answer the task from what the members answered; add nothing that they did not say.", context
        )
        result = await agent.respond(_with_answers(task, answers), context)
        tally.total_tokens += result.total_tokens
        return str(result.answer())

    async def _decide(
        self, instructions: str, decision: "type[BaseModel]", task: str, context: CallContext, tally: Tally
    ) -> Any:
        # what the leader thinks is not the team's answer
        quiet = replace(context, on_event=None, session_id=None)
        result = await self._agent(instructions, context, decision).respond(task, quiet)
        tally.total_tokens += result.total_tokens
        return result.answer()

    def _agent(self, instructions: str, context: CallContext, output_type: Any = None) -> IsekAgent:
        described = "\n".join(f"- {each.name}: {each.described(context) or 'an agent'}" for each in self._members)
        parts = [self._instructions, "You lead a team. Its members are:\n" + described, instructions]
        return IsekAgent(
            self._name,
            model=self._model,
            instructions="\n\n".join(part for part in parts if part),
            output_type=output_type,
            hooks=self._hooks,
        )

    def _decisions(self) -> "Decisions":
        from isek.team.decisions import decisions  # noqa: PLC0415  (pydantic, which teams without a leader do without)

        return decisions(tuple(each.name for each in self._members))


def _with_answers(task: str, answers: Sequence[tuple[str, str]]) -> str:
    told = "\n\n".join(f"{member} answered:\n{answer}" for member, answer in answers)
    return f"{task}\n\n{told}" if told else task
