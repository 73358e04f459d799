"""Several models, one after the other: where the first fails, the next answers."""

from collections.abc import AsyncGenerator, Sequence

from isek.log import log
from isek.models.base import Message, Model, ModelReply, OutputSchema, ToolSchema
from isek.models.errors import ModelError


class FallbackModel(Model):
    """Asks its models in their order until one answers. An answer that has begun to stream is not begun anew.

    Args:
        models: at least one.
    """

    def __init__(self, *models: Model) -> None:
        if not models:
            raise ValueError("FallbackModel needs at least one model")
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
        for model in self._models[:-1]:
            try:
                return await model.invoke(messages, tools, output=output)
            except ModelError as error:
                log().warning("{}; the next model is asked", error)
        return await self._models[-1].invoke(messages, tools, output=output)

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
                async for piece in model.invoke_streaming(messages, tools, output=output):
                    begun = True
                    yield piece
            except ModelError as error:
                if begun or model is self._models[-1]:
                    raise
                log().warning("{}; the next model is asked", error)
            else:
                return

    def count_tokens(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> int:
        """As the first model counts."""
        return self._models[0].count_tokens(messages, tools)

    async def aclose(self) -> None:
        """Let go of all their connections."""
        for model in self._models:
            await model.aclose()
