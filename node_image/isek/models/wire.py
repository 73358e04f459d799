"""What the APIs that a model may be asked by have in common: a conversation on the wire, and the reply read from it."""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from isek.models.base import Image, Message, ModelReply, OutputSchema, ToolSchema
from isek.models.errors import ModelAnswerCutOff, ModelError, ModelRefused

Read = TypeVar("Read", bound=BaseModel)


class Gathering(ABC):
    """Puts the events of a streamed reply together."""

    @abstractmethod
    def take(self, event: Any) -> str:
        """The text that ``event`` adds.

        Raises:
            ModelError: it tells of a failure, or makes no sense.
        """

    @abstractmethod
    def reply(self) -> ModelReply | None:
        """The whole reply, without its usage where the endpoint did not tell; None: the end has not been seen.

        Raises:
            ModelRefused: the model does not answer.
        """


class Wire(ABC):
    """One API, for one model.

    Args:
        model: its name at the endpoint.
    """

    path: str
    """Below the base URL."""
    streamed: ClassVar[Mapping[str, Any]]
    """What a request for a streamed reply holds besides."""
    form: str
    """What its answers are called."""

    def __init__(self, model: str) -> None:
        self.model = model

    @abstractmethod
    def request(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], output: OutputSchema | None
    ) -> dict[str, Any]:
        """The body of a request."""

    def body(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        output: OutputSchema | None,
        parameters: Mapping[str, Any],
        *,
        streamed: bool = False,
    ) -> bytes:
        """The request as JSON, with what its user adds to it.

        Halves of surrogate pairs, as in names of files that are no text, cannot be sent: they become question marks.
        """
        besides = self.streamed if streamed else {}
        body = {**besides, **self.request(messages, tools, output), **parameters}
        return json.dumps(body, ensure_ascii=False).encode(errors="replace")

    @abstractmethod
    def reply(self, answer: bytes | Mapping[str, Any]) -> ModelReply:
        """The reply that an answer holds.

        Raises:
            ModelError: it is none, or the model does not answer.
        """

    @abstractmethod
    def gathering(self) -> Gathering:
        """What reads a streamed answer."""

    def read(self, type_: type[Read], answer: bytes | Mapping[str, Any]) -> Read:
        """An answer, or an event of it, as what it has to be. The client's own types take whatever comes, and break
        where it is used.

        Raises:
            ModelError: it is something else.
        """
        try:
            return type_.model_validate_json(answer) if isinstance(answer, bytes) else type_.model_validate(answer)
        except ValidationError:
            raise self.nonsense() from None

    def nonsense(self) -> ModelError:
        """The answer is not what it has to be."""
        return ModelError(
            f"model {self.model} sent an answer that is no {self.form}",
            hint="is the base URL that of an OpenAI-compatible endpoint?",
        )

    def cut_off(self) -> ModelAnswerCutOff:
        """The answer has no end: what there is of it, were it taken for the whole, would mislead."""
        return ModelAnswerCutOff(
            f"the answer of model {self.model} was cut off: it may have no more tokens",
            hint="raise max_tokens among the model's parameters, or take a model with a larger context",
        )

    def refused(self, why: str) -> ModelRefused:
        """The model does not answer."""
        return ModelRefused(f"model {self.model} does not answer this: {why}", hint="ask for something else")


def image_url(image: Image) -> str:
    """Where a picture is; its content travels in the URL itself."""
    return image.url or f"data:{image.media_type};base64,{base64.b64encode(image.content).decode()}"
