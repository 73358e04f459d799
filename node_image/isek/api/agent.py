"""IsekAgent: one agent, by its instructions, its model and its tools."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.fields import AnyObject, Capability, LongText, ShortText, Text, Url
from isek.api.resource import Column, Resource, columns
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import HOSTED_COLUMNS, URL_COLUMN, HostedSpec, HostedStatus, Reference, SecretValue


class ToolCall(Model):
    """A tool call that a scripted model asks for."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """The tool."""
    arguments: AnyObject = Field(default_factory=dict)
    """Its arguments."""


class ScriptTurn(Model):
    """What a scripted model does when it is called once."""

    text: LongText | None = None
    """Answer with this; `{input}` in it stands for the message that the run began with."""
    tool_calls: Annotated[tuple[ToolCall, ...], Field(min_length=1, max_length=16)] | None = None
    """Ask for these tool calls."""
    error: Text | None = None
    """Fail with this message."""
    delay_milliseconds: Annotated[int, Field(ge=0, le=600_000)] | None = None
    """Wait this long, then go on to the next turn."""

    rules = (exactly_one_of("text", "tool_calls", "error", "delay_milliseconds"),)


class ModelSpec(Model):
    """The language model behind an agent."""

    provider: Literal["OpenAI", "Echo", "Scripted"]
    """OpenAI: any OpenAI-compatible endpoint; Echo: answers with its input; Scripted: follows `script`."""
    name: ShortText | None = None
    """The model's name at its provider."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """The endpoint; default: OpenAI's own."""
    api_key: SecretValue | None = None
    """The key; default: OPENAI_API_KEY in the pod's environment."""
    parameters: AnyObject | None = None
    """Passed to the provider as they are, such as temperature."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """Seconds for one call."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 4
    """Further tries of a call that failed for a reason that may pass."""
    script: Annotated[tuple[ScriptTurn, ...], Field(min_length=1, max_length=64)] | None = None
    """The turns of a scripted model, begun anew with each run; the last one repeats."""

    rules = (
        Rule(
            cel="self.provider != 'OpenAI' || has(self.name)",
            message="provider OpenAI needs the model's name",
            holds=lambda model: model.provider != "OpenAI" or model.name is not None,
        ),
        Rule(
            cel="(self.provider == 'Scripted') == has(self.script)",
            message="script goes with provider Scripted, and with no other",
            holds=lambda model: (model.provider == "Scripted") == (model.script is not None),
        ),
    )


class Tool(Model):
    """Something that the agent's model may call."""

    builtin: Literal["calculator"] | None = None
    """A tool that comes with Isek."""
    agent: Reference | None = None
    """Another agent or team, asked over the mesh."""

    rules = (exactly_one_of("builtin", "agent"),)


class IsekAgentSpec(HostedSpec):
    """What the agent is to be."""

    instructions: LongText = ""
    """The system prompt."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=32)] = ()
    """What others may ask it for; the skills on its card."""
    model: ModelSpec
    """The model that thinks for it."""
    tools: Annotated[tuple[Tool, ...], Field(max_length=64)] = ()
    """What its model may call."""


class IsekAgent(Resource):
    """One agent: instructions, model and tools, hosted on an IsekNode or on pods of its own."""

    plural: ClassVar[str] = "isekagents"
    short_name: ClassVar[str] = "iagent"
    scalable: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = columns(
        *HOSTED_COLUMNS, Column("Model", "string", ".spec.model.name", priority=1), URL_COLUMN
    )
    rules = (
        Rule(
            cel=(
                "!self.spec.tools.exists(tool, has(tool.agent) && "
                "tool.agent.name == self.metadata.name && !has(tool.agent.__namespace__))"
            ),
            message="spec.tools: an agent cannot be its own tool",
            holds=lambda agent: all(
                tool.agent is None or (tool.agent.name, tool.agent.namespace) != (agent.metadata.name, None)
                for tool in agent.spec.tools
            ),
        ),
    )

    spec: IsekAgentSpec
    """What the agent is to be."""
    status: HostedStatus = HostedStatus()
    """What the agent is."""
