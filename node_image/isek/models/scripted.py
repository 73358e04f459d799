"""A model that follows a script: for demos, tests and teaching."""

import asyncio
import json
from collections.abc import Sequence

from isek.api.agent import ScriptTurn
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolCall, ToolSchema, latest_input
from isek.models.errors import ModelError, ModelTimeout


class ScriptedModel(Model):
    """Takes one turn of its script a call, after the delays before it. The last turn repeats: a script that ends in a
    delay hangs until ``timeout_seconds`` are over.

    The place in the script is the number of replies since the user's latest message, so that each run begins anew and
    runs at the same time do not mix.
    """

    def __init__(self, script: Sequence[ScriptTurn], *, timeout_seconds: float = 60) -> None:
        self._steps: list[tuple[float, ScriptTurn | None]] = []
        self._timeout_seconds = timeout_seconds
        delay = 0.0
        for turn in script:
            if turn.delay_milliseconds is not None:
                delay += turn.delay_milliseconds / 1000
            else:
                self._steps.append((delay, turn))
                delay = 0.0
        if script[-1].delay_milliseconds is not None:
            self._steps.append((delay, None))

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """What the script says next."""
        place = _replies_since_input(messages)
        delay, turn = self._steps[min(place, len(self._steps) - 1)]
        if turn is None or delay > self._timeout_seconds:
            await asyncio.sleep(self._timeout_seconds)
            raise ModelTimeout(f"the script did not answer within {self._timeout_seconds:g} s")
        await asyncio.sleep(delay)
        if turn.error is not None:
            raise ModelError(turn.error, hint="the script of the model says so")
        if turn.tool_calls is not None:
            return ModelReply(
                tool_calls=tuple(
                    ToolCall(id=f"call-{place}-{number}", name=call.name, arguments=json.dumps(call.arguments))
                    for number, call in enumerate(turn.tool_calls)
                )
            )
        return ModelReply(text=(turn.text or "").replace("{input}", latest_input(messages)))


def _replies_since_input(messages: Sequence[Message]) -> int:
    count = 0
    for message in reversed(messages):
        if message.role == "user":
            break
        count += message.role == "assistant"
    return count
