import asyncio
from collections.abc import AsyncGenerator

import pytest
from isek.node import line_stream
from isek.node.chat import TAIL_LENGTH, _Tail
from isek.node.line_stream import LineStream
from starlette.types import Message


async def lines(*pauses: float) -> AsyncGenerator[str]:
    for pause in pauses:
        await asyncio.sleep(pause)
        yield "line\n"


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets the event")


async def sent_of(stream: LineStream) -> list[bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await stream({"type": "http"}, never, send)
    assert sent[0]["type"] == "http.response.start"
    assert not sent[-1]["more_body"]
    return [message["body"] for message in sent[1:-1]]


async def test_lines_go_out_as_they_are_made() -> None:
    made = lines(0, 0)

    assert await sent_of(LineStream(made, made, "text/plain", beat=".")) == [b"line\n"] * 2


async def test_silence_is_broken_by_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_stream, "BEAT_SECONDS", 0.02)
    made = lines(0, 0.5)

    sent = await sent_of(LineStream(made, made, "text/plain", beat="."))

    assert (sent[0], sent[-1]) == (b"line\n", b"line\n")
    assert set(sent[1:-1]) == {b"."}


async def test_the_run_ends_when_the_caller_goes_away() -> None:
    ended = False

    async def endless() -> AsyncGenerator[str]:
        nonlocal ended
        try:
            while True:
                yield "line\n"
                await asyncio.sleep(0)
        finally:
            ended = True

    heard = asyncio.Event()

    async def gone() -> Message:
        await heard.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        heard.set()

    made = endless()
    await LineStream(made, made, "text/plain", beat=".")({"type": "http"}, gone, send)

    assert ended


@pytest.mark.parametrize("length", [1, TAIL_LENGTH // 3, TAIL_LENGTH])
def test_a_streamed_answer_is_known_by_its_end_however_long_it_is(length: int) -> None:
    tail, said = _Tail(), ""
    for letter in "abcdefg":
        tail.add(letter * length)
        said += letter * length

    assert tail.ends_with(said)
    assert tail.ends_with(said[-length:])
    assert not tail.ends_with(said[:-1])
