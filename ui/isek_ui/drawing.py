"""An answer as the page shows it: its text, and the steps on the way to it."""

from types import TracebackType
from typing import Any, Self

import chainlit as cl
from chainlit.utils import utc_now

from isek_ui.steps import Step, Steps

Json = dict[str, Any]
STOPPED = "stopped"


class Drawing:
    """Draws one answer, piece by piece. What is still under way at the end of the context was stopped."""

    def __init__(self) -> None:
        self._steps = Steps()
        self._drawn: dict[Step, cl.Step] = {}
        self._text: cl.Message | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end_text()
        for step in reversed(self._steps.open):
            await self._end(step, STOPPED, failed=True)

    async def take(self, chunk: Json) -> None:
        """Draw what a chunk of the answer brings."""
        for choice in chunk.get("choices", ()):
            await self._write(choice.get("delta", {}).get("content") or "")
        step = self._steps.take(chunk.get("isek") or {})
        if step is None:
            return
        if step.ended:
            await self._end(step, step.output, failed=step.failed)
            return
        if earlier := self._drawn.get(step):
            await earlier.remove()  # a step that is drawn closed does not open any more
        await self._end_text()
        await self._begin(step)

    async def fail(self, why: str) -> None:
        """Say why there is no answer, or no whole one."""
        await self._end_text()
        await cl.ErrorMessage(why).send()

    async def _write(self, text: str) -> None:
        if not text:
            return
        if self._text is None:
            self._text = cl.Message("")
        await self._text.stream_token(text)

    async def _end_text(self) -> None:
        """What comes next stands below."""
        if self._text is not None:
            await self._text.send()
            self._text = None

    async def _begin(self, step: Step) -> None:
        parent = self._drawn[step.parent].id if step.parent else cl.context.current_step.id
        asked = step.kind == "agent"  # in words, and what it does stands below; tools are called with JSON
        drawn = cl.Step(
            name=f"agent {step.name}" if asked else step.name,
            type="tool",
            parent_id=parent,
            show_input=True if asked else "json",
            default_open=asked,
        )
        drawn.input, drawn.start = step.input, utc_now()
        self._drawn[step] = drawn
        await drawn.send()

    async def _end(self, step: Step, output: str, *, failed: bool) -> None:
        drawn = self._drawn[step]
        drawn.output, drawn.is_error, drawn.end = output, failed, utc_now()
        await drawn.update()
