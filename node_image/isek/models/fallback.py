"""Several models, one after the other: where the first fails, the next answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from isek.errors import IsekError
from isek.log import log
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema
from isek.models.errors import ModelTimeout


class FallbackModel(Model):
    """Asks its models in their order until one answers. An answer that has begun to stream is not begun anew.

    All tries of a model together, but those of the last one, may take as long as one of them may: else a model that
    hangs would leave the next one nothing of a run's time.

    Args:
        models: at least one.
    """

    def __init__(self, *models: Model) -> None:
        if not models:
            raise ValueError("FallbackModel needs at least one model")
        for model in models:
            if not isinstance(model, Model):
                raise TypeError(f"FallbackModel takes models, not {model!r}")
        self._models = models
        self.name = models[0].name
        windows = [model.context_window for model in models if model.context_window is not None]
        self.context_window = min(windows, default=None)

    async def invoke(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> ModelReply:
        """The first reply that there is.

        Raises:
            ModelError: that of the last model.
        """
        *firsts, last = self._models
        for model in firsts:
            try:
                model.check_fits(messages, tools)
                async with self._time_of(model):
                    return await model.invoke(messages, tools, output=output)
            except Exception as error:
                _told(model, error)
        last.check_fits(messages, tools)
        return await last.invoke(messages, tools, output=output)

    async def invoke_streaming(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), *, output: OutputSchema | None = None
    ) -> AsyncGenerator[str | ModelReply]:
        """The pieces of the first reply that there is.

        Raises:
            ModelError: that of the last model, or of one whose answer broke off.
        """
        for model in self._models:
            begun = False
            try:
                model.check_fits(messages, tools)
                async with aclosing(model.invoke_streaming(messages, tools, output=output)) as pieces:
                    async with self._time_of(model):
                        piece = await anext(pieces, None)
                    while piece is not None:
                        begun = True
                        yield piece
                        piece = await anext(pieces, None)
            except Exception as error:
                if begun or model is self._models[-1]:
                    raise
                _told(model, error)
            else:
                return

    def check_fits(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> None:
        """Nothing yet: where one model is too small, the next may do."""

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> int:
        """As the first model counts."""
        return self._models[0].count_tokens(messages, tools)

    @asynccontextmanager
    async def _time_of(self, model: Model) -> AsyncIterator[None]:
        limit = asyncio.timeout(None if model is self._models[-1] else model.timeout_seconds)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise ModelTimeout(
                f"model {model.name} did not answer within {model.timeout_seconds:g} s, all its tries together",
                hint="give it more time, or look at the endpoint",
            ) from None

    async def aclose(self) -> None:
        """Let go of all their connections."""
        for model in self._models:
            await model.aclose()


def _told(model: Model, error: Exception) -> None:
    # a model of anybody's making may raise whatever it likes
    said = error if isinstance(error, IsekError) else f"model {model.name or type(model).__name__}: {error!r}"
    log().warning("{}; the next model is asked", said)
