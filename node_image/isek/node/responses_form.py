"""The Responses API of OpenAI, as far as an agent can be asked by it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from isek.asking import DEFAULT_USER
from isek.models.base import Message, OutputSchema, ToolCall
from isek.node.conversation import Wish, invalid, tool_schema
from isek.node.openai_form import MAX_TOOLS, Nothing, Several, image_of, read_request

MAX_METADATA = 16


class InputText(BaseModel):
    """Text in a message."""

    type: Literal["input_text", "output_text"]
    text: str


class InputImage(BaseModel):
    """A picture in a message."""

    type: Literal["input_image"]
    image_url: str


class Refusal(BaseModel):
    """Why a model did not answer."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[InputText | InputImage | Refusal, Field(discriminator="type")]


class InputMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | Several[Part]


class FunctionCall(BaseModel):
    """A call of one of the caller's tools."""

    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(BaseModel):
    """What the caller's tool said."""

    call_id: str
    output: str | Several[InputText]


class Reasoning(BaseModel):
    """What a model has thought: no agent tells that, so it is some other's, and passed over."""


def _few(metadata: Any) -> Any:
    if isinstance(metadata, dict) and len(metadata) > MAX_METADATA:
        raise ValueError(f"has {len(metadata)} of {MAX_METADATA} entries")
    return metadata


def _type_of(item: Any) -> str:
    return str(item.get("type") or "message") if isinstance(item, dict) else "message"


Item = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[Reasoning, Tag("reasoning")],
    Discriminator(_type_of),
]


class FunctionTool(BaseModel):
    """A function that the caller runs."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class NamedChoice(BaseModel):
    """The one tool that is to be called."""

    type: Literal["function"]
    name: str


class Form(BaseModel):
    """The form of the answer."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")] = "answer"
    definition: dict[str, Any] = Field(default={"type": "object"}, alias="schema")


class Text(BaseModel):
    """How the answer is written."""

    format: Form | None = None


class ResponsesRequest(BaseModel):
    """What an agent is asked. As with chat completions, how its model is to be run is the agent's own affair."""

    model: str
    """The agent's name."""
    input: str | Several[Item]
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], BeforeValidator(_few)] | None = None
    user: str | None = None
    """Whose memories may be used; never an identity."""
    session_id: str | None = None
    """The conversation, for an agent that remembers."""
    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    background: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    conversation: Nothing = None
    prompt: Nothing = None

    @property
    def user_id(self) -> str:
        """Whose memories may be used."""
        return self.user or DEFAULT_USER

    def said(self) -> list[Message]:
        """What is said, without what was before.

        Raises:
            CallError: ``InvalidRequest``.
        """
        return [Message("user", self.input)] if isinstance(self.input, str) else _messages(self.input)

    def wish(self) -> Wish:
        """How to answer.

        Raises:
            CallError: ``InvalidRequest``.
        """
        choice = self.tool_choice
        form = self.text.format if self.text else None
        return Wish(
            tools=tuple(
                tool_schema(f"tools[{place}]", each.name, each.description, each.parameters)
                for place, each in enumerate(self.tools or ())
            ),
            choice=choice if isinstance(choice, str) else "auto",
            only=choice.name if isinstance(choice, NamedChoice) else None,
            one_call=self.parallel_tool_calls is False,
            output=None if form is None or form.type == "text" else OutputSchema(form.name, form.definition),
        )

    def echoed(self) -> dict[str, Any]:
        """What a response repeats of its request."""
        choice = self.tool_choice or "auto"
        form = self.text.format if self.text else None
        return {
            "model": self.model,
            "instructions": self.instructions,
            "metadata": self.metadata or {},
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "previous_response_id": self.previous_response_id,
            "store": self.store is not False,
            "text": {"format": {"type": "text"} if form is None else _form_body(form)},
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
            "tools": [{**tool.model_dump(), "strict": False} for tool in self.tools or ()],
            "user": self.user,
        }


def read_responses_request(body: object) -> ResponsesRequest:
    """The request that a JSON body holds.

    Raises:
        CallError: ``InvalidRequest``; names each field that is wrong.
    """
    return read_request(ResponsesRequest, body, "POST /v1/responses")


def _messages(items: Iterable[InputMessage | FunctionCall | FunctionCallOutput | Reasoning]) -> list[Message]:
    """The items as messages: calls belong to the message of the assistant before them."""
    messages: list[Message] = []
    for item in items:
        if isinstance(item, InputMessage):
            messages.append(_message(item))
        elif isinstance(item, FunctionCall):
            if not messages or messages[-1].role != "assistant":
                messages.append(Message("assistant"))
            call = ToolCall(item.call_id, item.name, item.arguments)
            messages[-1] = replace(messages[-1], tool_calls=(*messages[-1].tool_calls, call))
        elif isinstance(item, FunctionCallOutput):
            text = item.output if isinstance(item.output, str) else "\n".join(part.text for part in item.output)
            messages.append(Message("tool", text, tool_call_id=item.call_id))
    return messages


def _message(item: InputMessage) -> Message:
    role: Any = "system" if item.role == "developer" else item.role
    if isinstance(item.content, str):
        return Message(role, item.content)
    images = [image_of(part.image_url) for part in item.content if isinstance(part, InputImage)]
    if images and role != "user":
        raise invalid(f"input: a message of role {item.role!r} shows nothing; only the user's may")
    said = [part for part in item.content if not isinstance(part, InputImage)]
    texts = [part.text if isinstance(part, InputText) else part.refusal for part in said]
    return Message(role, "\n".join(texts), images=tuple(images))


def _form_body(form: Form) -> dict[str, Any]:
    if form.type != "json_schema":
        return {"type": form.type}
    return {"type": form.type, "name": form.name, "schema": form.definition, "strict": False}
