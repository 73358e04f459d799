"""Conversations that agents have with each other."""

from dataclasses import replace

from isek import IsekAgent, IsekTeam, Memory

from tests.support.asking import context
from tests.support.recording_model import RecordingModel, calls


def remembering(name: str, memory: Memory) -> IsekAgent:
    return IsekAgent(name, agent_id=name, model=RecordingModel(*["ok"] * 4), memory=memory)


async def known(memory: Memory) -> set[str | None]:
    """The sessions that the researcher knows of."""
    return {session.session_id for session in await memory.sessions("researcher", "ann")}


async def test_whoever_is_asked_has_a_session_below_that_of_who_asks() -> None:
    memory = Memory()
    researcher = remembering("researcher", memory)
    asking = calls(("researcher", '{"message": "facts"}'))
    writer = IsekAgent("writer", model=RecordingModel(asking, "text"), tools=[researcher])

    await researcher.arun("hi", "ann", "monday")
    await IsekTeam([writer, researcher], "sequential", name="newsroom").arun("tea", "ann", "monday")

    assert await known(memory) == {"monday", "monday>newsroom>writer", "monday>newsroom"}


async def test_a_message_of_no_session_begins_none_elsewhere() -> None:
    memory = Memory()
    newsroom = IsekTeam([remembering("researcher", memory)], "sequential", name="newsroom")

    result = await newsroom.respond("tea", replace(context(), user_id="ann"))

    assert result.payload == "ok"
    assert await known(memory) == set()


async def test_who_is_handed_a_conversation_goes_on_with_it() -> None:
    memory = Memory()
    researcher = remembering("researcher", memory)
    handing_over = RecordingModel(calls(("handoff_to_researcher", '{"message": "facts"}')))
    desk = IsekAgent("desk", model=handing_over, handoffs=[researcher])

    await IsekTeam([desk], "sequential", name="newsroom").arun("tea", "ann", "monday")

    assert await known(memory) == {"monday>newsroom"}
