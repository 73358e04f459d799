"""The language model of an agent, or of the leader of a team."""

from typing import Annotated, Literal

from pydantic import Field

from isek.api.fields import AnyObject, LongText, ShortText, Text, Url
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import SecretValue


class ToolCall(Model):
    """A tool call that a scripted model asks for."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """The tool."""
    arguments: AnyObject = Field(default_factory=dict)
    """Its arguments; `{input}` in their texts stands for the message that the run began with."""


class ScriptTurn(Model):
    """What a scripted model does when it is called once."""

    when: Annotated[ShortText, Field(min_length=1)] | None = None
    """Pass this turn over where the message does not hold this text."""
    text: LongText | None = None
    """Answer with this; `{input}` in it stands for the message that the run began with."""
    output: AnyObject | None = None
    """Answer with this object where an answer in a form is asked for, as of the leader of a team; elsewhere the turn is
    passed over. `text` is passed over there in turn."""
    tool_calls: Annotated[tuple[ToolCall, ...], Field(min_length=1, max_length=16)] | None = None
    """Ask for these tool calls."""
    error: Text | None = None
    """Fail with this message."""
    delay_milliseconds: Annotated[int, Field(ge=0, le=600_000)] | None = None
    """Wait this long, then go on to the next turn."""

    rules = (exactly_one_of("text", "output", "tool_calls", "error", "delay_milliseconds"),)


class OneModel(Model):
    """A language model."""

    provider: Literal["OpenAI", "LiteLLM", "Echo", "Scripted", "Custom"]
    """OpenAI: any OpenAI-compatible endpoint; LiteLLM: any provider that it knows, in an image that holds it; Echo:
    answers with its input; Scripted: follows `script`; Custom: a class of one's own."""
    name: ShortText | None = None
    """The model's name at its provider; LiteLLM's begin with the provider, as in anthropic/claude-sonnet-4-5."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """The endpoint; default: the provider's own."""
    api: Literal["Chat", "Responses"] | None = None
    """Which API of the endpoint, chat completions (the default) or responses: by those a model that thinks keeps its
    thoughts between calls of tools."""
    api_key: SecretValue | None = None
    """The key; default: OPENAI_API_KEY in the pod's environment, or what LiteLLM looks for there."""
    parameters: AnyObject | None = None
    """Passed to the provider as they are, such as temperature; to a class of one's own by name."""
    class_: Annotated[
        str | None, Field(alias="class", max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$")
    ] = None
    """The class, `package.module:Class`, a subclass of `isek.Model` that the image of the pods holds."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """Seconds for one call."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 4
    """Further tries of a call that failed for a reason that may pass."""
    script: Annotated[tuple[ScriptTurn, ...], Field(min_length=1, max_length=64)] | None = None
    """The turns of a scripted model, begun anew with each run; the last one repeats."""

    rules = (
        Rule(
            cel="!(self.provider in ['OpenAI', 'LiteLLM']) || has(self.name)",
            message="providers OpenAI and LiteLLM need the model's name",
            holds=lambda model: model.provider not in {"OpenAI", "LiteLLM"} or model.name is not None,
        ),
        Rule(
            cel="!has(self.api) || self.provider == 'OpenAI'",
            message="api goes with provider OpenAI, and with no other",
            holds=lambda model: model.api is None or model.provider == "OpenAI",
        ),
        Rule(
            cel="(self.provider == 'Scripted') == has(self.script)",
            message="script goes with provider Scripted, and with no other",
            holds=lambda model: (model.provider == "Scripted") == (model.script is not None),
        ),
        Rule(
            cel="(self.provider == 'Custom') == has(self.class)",
            message="class goes with provider Custom, and with no other",
            holds=lambda model: (model.provider == "Custom") == (model.class_ is not None),
        ),
    )


class ModelSpec(OneModel):
    """The language model behind an agent, or the leader of a team."""

    fallbacks: Annotated[tuple[OneModel, ...], Field(max_length=4)] | None = None
    """Models that are asked in this order, each when those before it failed."""
