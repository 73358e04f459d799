"""The ways in which a team works."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from isek.agent.run import Tally
from isek.asking import CallContext
from isek.colleague import Colleague
from isek.errors import IsekError, RunError
from isek.models.base import Image, Message
from isek.team.leader import Leader
from isek.team.retries import Retries, ask_with_retries
from isek.together import together
from isek.tools.function import as_text

Mode = Literal["sequential", "coordinate", "route", "collaborate", "adaptive"]


@dataclass(frozen=True)
class Work:
    """One run of a team."""

    members: Sequence[Colleague]
    leader: Leader | None
    max_rounds: int
    retries: Retries
    on_member_failure: Literal["fail", "continue"]
    context: CallContext
    tally: Tally
    images: tuple[Image, ...] = ()
    """That the task shows, to each who works on it."""

    async def ask(self, member: Colleague, message: str) -> str | None:
        """The member's answer; None: it failed, and the team goes on without it.

        Raises:
            RunError: ``MemberFailed``.
        """
        self.tally.repeatable = False
        shown = Message("user", message, images=self.images) if self.images else message
        try:
            answer = as_text(await ask_with_retries(member, shown, self.context, self.retries))
        except IsekError as error:
            place = self.members.index(member) + 1
            failure = RunError(
                "MemberFailed",
                f"member {member.name!r} ({place} of {len(self.members)}) failed: {error}",
                hint=error.hint,
                status=502,
            )
            if self.on_member_failure == "fail":
                raise failure from error
            self.tally.errors.append(failure)
            return None
        self.tally.iterations += 1
        return answer

    async def ask_all(self, requests: Sequence[tuple[Colleague, str]]) -> list[tuple[str, str]]:
        """The answers of those that gave one, with their names, asked at the same time.

        Raises:
            RunError: ``MemberFailed``: one failed, or all did.
        """
        answers = await together(self.ask(member, message) for member, message in requests)
        told = [
            (member.name, answer) for (member, _), answer in zip(requests, answers, strict=True) if answer is not None
        ]
        if not told:
            raise self.tally.errors.pop()
        return told

    def named(self, name: str) -> Colleague:
        """The member of that name."""
        return next(each for each in self.members if each.name == name)

    @property
    def led(self) -> Leader:
        """The leader, in the modes that have one."""
        return cast("Leader", self.leader)


async def sequential(work: Work, task: str) -> str:
    """Each member's answer is the next one's message; the last answer is the team's."""
    message, answered = task, False
    for member in work.members:
        answer = await work.ask(member, message)
        if answer is not None:
            message, answered = answer, True
    if not answered:
        raise work.tally.errors.pop()
    return message


async def coordinate(work: Work, task: str) -> str:
    """The leader splits the task, the members work at the same time, the leader puts the answers together."""
    plan = await work.led.plan(task, work.context, work.tally)
    answers = await work.ask_all([(work.named(member), request) for member, request in plan])
    return await work.led.merge(task, answers, work.context, work.tally)


async def route(work: Work, task: str) -> str:
    """The leader picks the member that answers."""
    member = work.named(await work.led.choose(task, work.context, work.tally))
    return (await work.ask_all([(member, task)]))[0][1]


async def collaborate(work: Work, task: str) -> str:
    """All members get the task at the same time; the leader merges what they say."""
    answers = await work.ask_all([(member, task) for member in work.members])
    return await work.led.merge(task, answers, work.context, work.tally)


async def adaptive(work: Work, task: str) -> str:
    """The leader decides each step from what came of those before, so many rounds at most."""
    answers: list[tuple[str, str]] = []
    answered = False
    for _ in range(work.max_rounds):
        step = await work.led.next_step(task, answers, work.context, work.tally)
        if step is None:
            break
        member, request = step
        answer = await work.ask(work.named(member), request)
        answered = answered or answer is not None
        answers.append((member, "(no answer: it failed)" if answer is None else answer))
    if answers and not answered:
        raise work.tally.errors.pop()
    return await work.led.merge(task, answers, work.context, work.tally)


MODES: dict[Mode, Callable[[Work, str], Awaitable[Any]]] = {
    "sequential": sequential,
    "coordinate": coordinate,
    "route": route,
    "collaborate": collaborate,
    "adaptive": adaptive,
}
