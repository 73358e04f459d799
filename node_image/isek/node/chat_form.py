"""The chat completions of OpenAI's API, as far as an agent can be asked by them.

What the API does not know stands in an extra object ``isek``, which clients pass over: the steps and the trace.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from isek.asking import DEFAULT_USER
from isek.models.base import Image, Message, OutputSchema, ToolCall, ToolSchema
from isek.node.conversation import Wish, tool_schema
from isek.node.openai_form import MAX_TOOLS, Nothing, Several, image_of, read_request


class TextPart(BaseModel):
    """Text in a message."""

    type: Literal["text"]
    text: str


class RefusalPart(BaseModel):
    """Why a model did not answer."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(BaseModel):
    """``https://…``, or ``data:image/…;base64,…``."""

    url: str


class ImagePart(BaseModel):
    """A picture in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart | RefusalPart, Field(discriminator="type")]


class FunctionCall(BaseModel):
    """What a tool was to be called with."""

    name: str
    arguments: str


class Call(BaseModel):
    """A call of one of the caller's tools."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Several[Part] | None = None
    tool_calls: Several[Call] | None = None
    tool_call_id: str = ""

    def message(self) -> Message:
        """The same, for a model.

        Raises:
            CallError: ``InvalidRequest``: a picture is none.
        """
        parts = self.content if isinstance(self.content, list) else []
        texts = [
            part.text if isinstance(part, TextPart) else part.refusal for part in parts if part.type != "image_url"
        ]
        images: list[Image] = [image_of(part.image_url.url) for part in parts if isinstance(part, ImagePart)]
        calls = (self.tool_calls or ()) if self.role == "assistant" else ()
        return Message(
            "system" if self.role == "developer" else self.role,
            self.content if isinstance(self.content, str) else "\n".join(texts),
            tool_calls=tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in calls),
            tool_call_id=self.tool_call_id if self.role == "tool" else "",
            images=tuple(images),
        )


class Function(BaseModel):
    """A function that the caller runs."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(BaseModel):
    """A tool of the caller."""

    type: Literal["function"]
    function: Function


class Named(BaseModel):
    """A tool by its name."""

    name: str


class NamedChoice(BaseModel):
    """The one tool that is to be called."""

    type: Literal["function"]
    function: Named


class TextForm(BaseModel):
    """Any text, or any JSON object."""

    type: Literal["text", "json_object"]


class JsonSchema(BaseModel):
    """A form with a name."""

    model_config = ConfigDict(populate_by_name=True)

    name: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    definition: dict[str, Any] = Field(default={"type": "object"}, alias="schema")


class SchemaForm(BaseModel):
    """JSON of a form."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(BaseModel):
    """What a stream brings along."""

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """A conversation that an agent is to go on with.

    How the model is to be run, such as its temperature, is the agent's own affair, and passed over. What would change
    what the answer is, and cannot be had, is refused.
    """

    model: str
    """The agent's name."""
    messages: Annotated[Several[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    """Whose memories may be used; never an identity."""
    session_id: str | None = None
    """The conversation, for an agent that remembers."""
    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Annotated[TextForm | SchemaForm, Field(discriminator="type")] | None = None
    n: Literal[1] | None = None
    modalities: Several[Literal["text"]] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    stop: Nothing = None
    logit_bias: Nothing = None
    audio: Nothing = None
    functions: Nothing = None
    function_call: Nothing = None
    prediction: Nothing = None
    web_search_options: Nothing = None

    @property
    def user_id(self) -> str:
        """Whose memories may be used."""
        return self.user or DEFAULT_USER

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def conversation(self) -> list[Message]:
        """What was said.

        Raises:
            CallError: ``InvalidRequest``.
        """
        return [each.message() for each in self.messages]

    def wish(self) -> Wish:
        """How to answer.

        Raises:
            CallError: ``InvalidRequest``.
        """
        choice = self.tool_choice
        return Wish(
            tools=tuple(self._tools()),
            choice=choice if isinstance(choice, str) else "auto",
            only=choice.function.name if isinstance(choice, NamedChoice) else None,
            one_call=self.parallel_tool_calls is False,
            output=self._output(),
        )

    def _tools(self) -> list[ToolSchema]:
        functions = [tool.function for tool in self.tools or ()]
        return [
            tool_schema(f"tools[{place}].function", each.name, each.description, each.parameters)
            for place, each in enumerate(functions)
        ]

    def _output(self) -> OutputSchema | None:
        form = self.response_format
        if isinstance(form, SchemaForm):
            return OutputSchema(form.json_schema.name, form.json_schema.definition)
        return OutputSchema("answer", {"type": "object"}) if form is not None and form.type == "json_object" else None


def read_chat_request(body: object) -> ChatRequest:
    """The request that a JSON body holds.

    Raises:
        CallError: ``InvalidRequest``; names each field that is wrong.
    """
    return read_request(ChatRequest, body, "POST /v1/chat/completions")
