"""A team at work, one member after the other."""

from collections.abc import Sequence

from isek.agent.run import Tally, run_within
from isek.api import IsekTeam
from isek.api.workload import Limits
from isek.asking import Asks, CallContext
from isek.errors import IsekError, RunError
from isek.loop_result import LoopResult


class TeamRunner:
    """Sequential mode: each member's answer is the next one's message, the last answer is the team's.

    Args:
        members: addresses, in the order in which they are asked.
        asks: what carries the messages, wherever the members live.
    """

    def __init__(
        self,
        members: Sequence[str],
        asks: Asks,
        *,
        name: str = "team",
        description: str = "",
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self._members = tuple(members)
        self._asks = asks
        self._limits = limits or Limits()

    async def respond(self, message: str, context: CallContext) -> LoopResult:
        """Answer ``message``. A run that fails is a result too."""

        async def work(bounded: CallContext, tally: Tally) -> str:
            return await self._one_after_the_other(message, bounded, tally)

        return await run_within(
            work, name=self.name, message=message, timeout_seconds=self._limits.timeout_seconds, context=context
        )

    async def aclose(self) -> None:
        """Nothing: what carries the messages is not the team's own."""

    async def _one_after_the_other(self, message: str, context: CallContext, tally: Tally) -> str:
        for place, member in enumerate(self._members, start=1):
            try:
                message = (await self._asks.ask(member, message, context)).text
            except IsekError as error:
                raise RunError(
                    "MemberFailed",
                    f"member {member!r} ({place} of {len(self._members)}) failed: {error}",
                    hint=error.hint,
                    status=502,
                ) from error
            tally.iterations += 1
        return message


def build_team(team: IsekTeam, asks: Asks) -> TeamRunner:
    """The runner of ``team``."""
    return TeamRunner(
        [member.reference.address for member in team.spec.members],
        asks,
        name=team.name,
        description=team.spec.description,
        limits=team.spec.limits,
    )
