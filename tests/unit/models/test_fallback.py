"""Models that are asked one after the other."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from isek import EchoModel, FallbackModel, Message, Model, ModelError, ModelReply
from isek.models.base import OutputSchema, ToolSchema

USER = Message("user", "tea")


class Streaming(Model):
    """Says its pieces, and then fails or ends."""

    def __init__(self, *pieces: str, fails: bool = False) -> None:
        self._pieces = pieces
        self._fails = fails

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        raise NotImplementedError

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        for piece in self._pieces:
            yield piece
        if self._fails:
            raise ModelError("it broke")
        yield ModelReply("".join(self._pieces))


class Hanging(Model):
    """Never answers, and sees by itself to no end."""

    name = "first"
    timeout_seconds = 0.05

    def __init__(self) -> None:
        self.given_up = 0

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1
        raise NotImplementedError


async def streamed(model: Model) -> list[str]:
    return [piece async for piece in model.invoke_streaming([USER]) if isinstance(piece, str)]


async def test_an_answer_that_has_begun_is_not_begun_anew() -> None:
    model = FallbackModel(Streaming("one ", "two ", fails=True), Streaming("never"))
    pieces = model.invoke_streaming([USER])

    assert [await anext(pieces), await anext(pieces)] == ["one ", "two "]
    with pytest.raises(ModelError, match="it broke"):
        await anext(pieces)


async def test_an_answer_that_has_not_begun_is_that_of_the_next_model() -> None:
    assert await streamed(FallbackModel(Streaming(fails=True), Streaming("tea"))) == ["tea"]


async def test_what_a_model_of_ones_own_raises_is_no_end_either() -> None:
    class Raw(EchoModel):
        async def invoke(self, *asked: Any, **about: Any) -> ModelReply:
            raise ConnectionError("gone")

    model = FallbackModel(Raw(), EchoModel())

    assert (await model.invoke([USER])).text == "tea"
    assert await streamed(model) == ["tea"]


async def test_a_model_that_hangs_leaves_time_for_the_next_one() -> None:
    hanging = Hanging()
    model = FallbackModel(hanging, Streaming("tea"))

    assert await asyncio.wait_for(streamed(model), 30) == ["tea"]
    assert hanging.given_up == 1


async def test_the_last_model_has_all_its_tries() -> None:
    model = FallbackModel(Streaming(fails=True), Hanging())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(streamed(model), 0.5)
