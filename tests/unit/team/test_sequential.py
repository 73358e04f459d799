import asyncio
from dataclasses import replace

from isek import IsekAgent, IsekTeam, Limits, Retries, ScriptedModel
from isek.api.model import ScriptTurn
from isek.asking import Answer, Asks, CallContext
from isek.colleague import Far
from isek.errors import RunError
from isek.events import AskEnded, Event
from isek.loop_result import LoopExit

from tests.support.asking import Directory, context


def team_of(asks: Asks, *addresses: str, limits: Limits = Limits()) -> IsekTeam:  # noqa: B008
    return IsekTeam([Far(address, asks) for address in addresses], retries=Retries(attempts=0), limits=limits)


async def test_each_answer_is_the_next_ones_message_and_the_last_is_the_teams() -> None:
    directory = Directory({"researcher": "facts on {message}", "writer": "a text from {message}"})
    call = context()

    result = await team_of(directory, "researcher", "writer").respond("tea", call)

    assert result.answer() == "a text from facts on tea"
    assert directory.asked == [("researcher", "tea"), ("writer", "facts on tea")]
    assert [child.agent for child in call.children] == ["researcher.default", "writer.default"]


async def test_a_member_that_fails_ends_the_run_and_is_named_with_its_code() -> None:
    directory = Directory(
        {"researcher": "facts", "critic": RunError("ModelTimeout", "no answer within 1 s", hint="wait"), "writer": "x"}
    )
    call = context()

    result = await team_of(directory, "researcher", "critic", "writer").respond("tea", call)

    error = result.errors[0]
    assert (result.exit, error.code, error.hint) == (LoopExit.ERROR, "MemberFailed", "wait")
    assert error.message == "member 'critic' (2 of 3) failed: ModelTimeout: no answer within 1 s"
    assert [address for address, _ in directory.asked] == ["researcher", "critic"]
    assert [child.error for child in call.children] == [None, "ModelTimeout"]


async def test_a_member_that_hangs_is_cut_off_by_the_teams_limit() -> None:
    class Hanging:
        async def ask(self, address: str, message: str, context: CallContext) -> Answer:
            await asyncio.sleep(20)
            raise RunError("TooLate", "nobody waits for this")

        def describe(self, address: str) -> str:
            return ""

    result = await team_of(Hanging(), "sleeper", limits=Limits(timeout_seconds=0.1)).respond(
        "tea", context(seconds=600)
    )

    assert result.errors[0].code == "DeadlineExceeded"


async def test_a_member_that_is_cut_off_is_told_as_cancelled() -> None:
    slow = IsekAgent("slow", model=ScriptedModel([ScriptTurn(delay_milliseconds=60000)]))
    events: list[Event] = []
    call = replace(context(), node_id="n", on_event=events.append)

    await IsekTeam([slow], limits=Limits(timeout_seconds=0.1)).respond("tea", call)

    assert [event.error for event in events if isinstance(event, AskEnded)] == ["Cancelled"]
    assert [child.error for child in call.children] == ["Cancelled"]


async def test_a_member_may_be_asked_twice() -> None:
    result = await team_of(Directory({"editor": "<{message}>"}), "editor", "editor").respond("x", context())

    assert result.payload == "<<x>>"
