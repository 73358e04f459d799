"""The team."""

from collections.abc import Iterable
from typing import Any, Literal

from isek.agent.arguments import check_other, functions_of, tuple_of
from isek.agent.limits import Limits
from isek.agent.run import Hook, Tally, run_within
from isek.answering import Answering, message_of
from isek.asking import CallContext, Runner
from isek.colleague import Colleague, Far, Near
from isek.loop_result import LoopResult
from isek.models.base import Message, Model
from isek.team.leader import Leader
from isek.team.modes import MODES, Mode, Work
from isek.team.retries import Retries

MAX_ROUNDS = 6

OnMemberFailure = Literal["fail", "continue"]


class IsekTeam(Answering):
    """Agents, or teams, that solve a task together, wherever they live.

    Args:
        members: agents and teams of this process, or addresses in the mesh of the node that hosts the team.
        mode: how they work together:

            - ``sequential``: each member's answer is the next one's message
            - ``coordinate``: the leader splits the task among members, and puts their answers together
            - ``route``: the leader picks one
            - ``collaborate``: all get the task, the leader merges their answers
            - ``adaptive``: the leader decides each step from the answers so far
        name: how others call it.
        description: what it is good for, in a sentence; others read it.
        model: thinks for the leader, in all modes but ``sequential``.
        instructions: for the leader.
        max_rounds: steps of ``adaptive``, at most.
        retries: how often a member that failed for a reason that may pass is asked again.
        on_member_failure: what a member that failed means for the team.
        limits: what a run may take.
        hooks: are told of each step.

    Raises:
        TypeError: an argument is of another type.
        ValueError: the mode is none, it needs a model, two members share a name, or a team would be its own member.
    """

    def __init__(
        self,
        members: Iterable[Runner | Colleague | str] = (),
        mode: Mode = "sequential",
        name: str = "team",
        *,
        description: str = "",
        model: Model | None = None,
        instructions: str = "",
        max_rounds: int = MAX_ROUNDS,
        retries: Retries = Retries(),  # noqa: B008  (immutable)
        on_member_failure: OnMemberFailure = "fail",
        limits: Limits = Limits(),  # noqa: B008
        hooks: Iterable[Hook] = (),
    ) -> None:
        who = f"team {name!r}"
        super().__init__(name, description)
        if mode not in MODES:
            raise ValueError(f"{who}: there is no mode {mode!r}; there are: {', '.join(MODES)}")
        if model is None and mode != "sequential":
            raise ValueError(f"{who}: mode {mode!r} has a leader, who needs a model")
        self.mode = mode
        self.model = model
        self.instructions = instructions
        self.max_rounds = max_rounds
        self.retries = retries
        self.on_member_failure = on_member_failure
        self.limits = limits
        self.hooks: tuple[Hook, ...] = functions_of(who, "hooks", hooks)
        self._members: list[Colleague] = []
        for each in tuple_of(who, "members", members):
            self.add_member(each)

    @property
    def members(self) -> tuple[Colleague, ...]:
        """Who is asked, in this order."""
        return tuple(self._members)

    def add_member(self, member: Runner | Colleague | str) -> None:
        """Take one more in; the same one may come twice.

        Raises:
            TypeError: it is none that can be asked.
            ValueError: there is another of that name, or the team would be its own member.
        """
        check_other(f"team {self.name!r}", "members", member)
        colleague = _colleague(member)
        namesake = self.get_member_by_name(colleague.name)
        if namesake is not None and namesake != colleague:
            raise ValueError(f"team {self.name!r} has another member {colleague.name!r} already")
        if path := _path(colleague, self):
            raise ValueError(f"team {self.name!r} would be its own member: {' -> '.join((self.name, *path))}")
        self._members.append(colleague)

    def remove_member(self, name: str) -> None:
        """Let go whoever has that name.

        Raises:
            ValueError: nobody has.
        """
        left = [each for each in self._members if each.name != name]
        if len(left) == len(self._members):
            raise ValueError(f"team {self.name!r} has no member {name!r}; it has: {', '.join(self._names()) or 'none'}")
        self._members = left

    def get_member_by_name(self, name: str) -> Colleague | None:
        """The member of that name."""
        return next((each for each in self._members if each.name == name), None)

    def get_agent_card(self) -> dict[str, Any]:
        """What others get to know: ``name``, ``description``, ``mode``, and the ``members``' names."""
        return {
            "name": self.name,
            "description": self.description,
            "mode": self.mode,
            "members": self._names(),
        }

    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        """Answer within ``context``; what a node calls. Never raises an ``IsekError``."""
        task, members = message_of(message), self.members

        async def work(bounded: CallContext, tally: Tally) -> Any:
            leader = None
            if self.model is not None:
                leader = Leader(self.name, self.model, self.instructions, members, hooks=self.hooks, images=task.images)
            run = Work(
                members=members,
                leader=leader,
                max_rounds=self.max_rounds,
                retries=self.retries,
                on_member_failure=self.on_member_failure,
                context=bounded,
                tally=tally,
                images=task.images,
            )
            return await MODES[self.mode](run, task.content) if members else task.content

        return await run_within(
            work,
            name=self.name,
            message=task.content,
            timeout_seconds=self.limits.timeout_seconds,
            context=context,
            hooks=self.hooks,
        )

    def _names(self) -> list[str]:
        return list(dict.fromkeys(each.name for each in self._members))

    async def aclose(self) -> None:
        """Let go of what the leader's model and the members of this process hold open."""
        if self.model is not None:
            await self.model.aclose()
        for member in self.members:
            if isinstance(member, Near):
                await member.runner.aclose()


def _colleague(member: Runner | Colleague | str) -> Colleague:
    if isinstance(member, Colleague):
        return member
    return Far(member) if isinstance(member, str) else Near(member)


def _path(colleague: Colleague, team: IsekTeam) -> tuple[str, ...]:
    """The names on the way from ``colleague`` to ``team``; none, when there is no way."""
    if not isinstance(colleague, Near) or not isinstance(colleague.runner, IsekTeam):
        return ()
    if colleague.runner is team:
        return (team.name,)
    for each in colleague.runner.members:
        if rest := _path(each, team):
            return (colleague.name, *rest)
    return ()
