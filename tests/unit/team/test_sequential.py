import asyncio

from isek.api.workload import Limits
from isek.asking import Answer, CallContext
from isek.errors import RunError
from isek.loop_result import LoopExit
from isek.team.runner import TeamRunner

from tests.support.asking import Directory, context


async def test_each_answer_is_the_next_ones_message_and_the_last_is_the_teams() -> None:
    directory = Directory({"researcher": "facts on {message}", "writer": "a text from {message}"})
    call = context()

    result = await TeamRunner(["researcher", "writer"], directory).respond("tea", call)

    assert result.answer() == "a text from facts on tea"
    assert directory.asked == [("researcher", "tea"), ("writer", "facts on tea")]
    assert [child.agent for child in call.children] == ["researcher.default", "writer.default"]


async def test_a_member_that_fails_ends_the_run_and_is_named_with_its_code() -> None:
    directory = Directory(
        {"researcher": "facts", "critic": RunError("ModelTimeout", "no answer within 1 s", hint="wait"), "writer": "x"}
    )
    call = context()

    result = await TeamRunner(["researcher", "critic", "writer"], directory).respond("tea", call)

    error = result.errors[0]
    assert (result.exit, error.code, error.hint) == (LoopExit.ERROR, "MemberFailed", "wait")
    assert error.message == "member 'critic' (2 of 3) failed: ModelTimeout: no answer within 1 s"
    assert [address for address, _ in directory.asked] == ["researcher", "critic"]
    assert [child.error for child in call.children] == [None, "ModelTimeout"]


async def test_a_member_that_hangs_is_cut_off_by_the_teams_limit() -> None:
    class Hanging:
        async def ask(self, address: str, message: str, context: CallContext) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

    result = await TeamRunner(["sleeper"], Hanging(), limits=Limits(timeout_seconds=1)).respond("tea", context())

    assert result.errors[0].code == "DeadlineExceeded"


async def test_a_member_may_be_asked_twice() -> None:
    directory = Directory({"editor": "<{message}>"})

    assert (await TeamRunner(["editor", "editor"], directory).respond("x", context())).payload == "<<x>>"
