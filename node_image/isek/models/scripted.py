"""A model that follows a script: for demos, tests and teaching."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from isek.api.model import ScriptTurn
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolCall, ToolSchema, latest_input
from isek.models.errors import ModelError, ModelTimeout


class ScriptedModel(Model):
    """Takes one turn of its script a call, after the delays before it. The last turn repeats: a script that ends in a
    delay hangs until ``timeout_seconds`` are over.

    The place in the script is the number of replies since the user's latest message, so that each run begins anew and
    runs at the same time do not mix. Turns that do not fit the message, or the form that is asked for, do not count.

    Args:
        script: the turns, as in ``spec.model.script``.
        timeout_seconds: after so long a turn that is late counts as a model that does not answer.
    """

    def __init__(self, script: Sequence[ScriptTurn], *, timeout_seconds: float = 60) -> None:
        for turn in script:
            if not isinstance(turn, ScriptTurn):
                raise TypeError(f"a script is of ScriptTurn, such as ScriptTurn(text='hello'), not {turn!r}")
        self._script = script
        self.timeout_seconds: float = timeout_seconds

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """What the script says next."""
        place = _replies_since_input(messages)
        message = latest_input(messages)
        steps = _steps(_fitting(self._script, message, in_a_form=output is not None))
        if not steps:
            raise ModelError("the script has no turn for this", hint="add one without `when`")
        delay, turn = steps[min(place, len(steps) - 1)]
        if turn is None or delay > self.timeout_seconds:
            await asyncio.sleep(self.timeout_seconds)
            raise ModelTimeout(f"the script did not answer within {self.timeout_seconds:g} s")
        await asyncio.sleep(delay)
        if turn.error is not None:
            raise ModelError(turn.error, hint="the script of the model says so")
        if turn.tool_calls is not None:
            return ModelReply(
                tool_calls=tuple(
                    ToolCall(
                        id=f"call-{place}-{number}",
                        name=call.name,
                        arguments=json.dumps(_filled(call.arguments, message)),
                    )
                    for number, call in enumerate(turn.tool_calls)
                )
            )
        if turn.output is not None:
            return ModelReply(text=json.dumps(turn.output, ensure_ascii=False))
        return ModelReply(text=_filled(turn.text or "", message))


def _filled(value: Any, message: str) -> Any:
    """With the message in the place of ``{input}``."""
    if isinstance(value, str):
        return value.replace("{input}", message)
    if isinstance(value, dict):
        return {key: _filled(each, message) for key, each in value.items()}
    return [_filled(each, message) for each in value] if isinstance(value, list) else value


def _fitting(script: Sequence[ScriptTurn], message: str, *, in_a_form: bool) -> list[ScriptTurn]:
    turns = [turn for turn in script if turn.when is None or turn.when in message]
    if in_a_form and any(turn.output is not None for turn in turns):
        return [turn for turn in turns if turn.text is None]
    return [turn for turn in turns if turn.output is None]


def _steps(turns: Sequence[ScriptTurn]) -> list[tuple[float, ScriptTurn | None]]:
    """The turns that answer, each with the seconds before it; None: the script ends in a delay."""
    steps: list[tuple[float, ScriptTurn | None]] = []
    delay = 0.0
    for turn in turns:
        if turn.delay_milliseconds is not None:
            delay += turn.delay_milliseconds / 1000
        else:
            steps.append((delay, turn))
            delay = 0.0
    if turns and turns[-1].delay_milliseconds is not None:
        steps.append((delay, None))
    return steps


def _replies_since_input(messages: Sequence[Message]) -> int:
    count = 0
    for message in reversed(messages):
        if message.role == "user":
            break
        count += message.role == "assistant"
    return count
