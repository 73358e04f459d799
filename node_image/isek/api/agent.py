"""IsekAgent: one agent, by its instructions, its model and its tools, or by its code."""

from typing import Annotated, ClassVar

from pydantic import Field

from isek.api.code import Code
from isek.api.fields import Capability, LongText, Text
from isek.api.limits import AgentLimits, Budget, Guardrails
from isek.api.memory import MemorySpec
from isek.api.model import ModelSpec
from isek.api.resource import Column, Resource, columns
from isek.api.schema import Rule, exactly_one_of
from isek.api.tool import TOOLS_DIFFER, Tool
from isek.api.workload import HOSTED_COLUMNS, URL_COLUMN, HostedSpec, HostedStatus


class IsekAgentSpec(HostedSpec):
    """What the agent is to be."""

    instructions: LongText = ""
    """The system prompt."""
    success_criteria: Text = ""
    """What an answer has to meet; the model judges it, and tries once more."""
    limits: AgentLimits = AgentLimits()
    """What a run may take."""
    budget: Budget = Budget()
    """What it may spend."""
    guardrails: Guardrails = Guardrails()
    """What it does not let through."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=32)] = ()
    """What others may ask it for; the skills on its card."""
    model: ModelSpec | None = None
    """The model that thinks for it."""
    code: Code | None = None
    """The agent as a Python object, in the place of `model`: it brings its own model, tools, instructions and limits of
    a run. What stands beside it here is `description`, else the object's own, `capabilities`, `limits` and where it
    runs."""
    tools: Annotated[tuple[Tool, ...], Field(max_length=64)] = ()
    """What its model may call."""
    memory: MemorySpec | None = None
    """What it remembers from message to message; default: nothing."""

    rules = (
        *HostedSpec.rules,
        exactly_one_of("model", "code"),
        Rule(
            cel=(
                "!has(self.code) || (self.instructions == '' && self.successCriteria == '' && size(self.tools) == 0 "
                "&& !has(self.memory) && !has(self.budget.maxTokensPerRun) && !has(self.budget.maxToolCallsPerMinute) "
                "&& self.guardrails.riskThreshold == 'Medium' && size(self.guardrails.blockedPatterns) == 0)"
            ),
            message=(
                "beside code, the Python object has its own instructions, successCriteria, tools, memory, budget and "
                "guardrails"
            ),
            holds=lambda spec: (
                spec.code is None
                or (
                    not (spec.instructions or spec.success_criteria or spec.tools or spec.memory)
                    and (spec.budget, spec.guardrails) == (Budget(), Guardrails())
                )
            ),
        ),
        TOOLS_DIFFER,
        Rule(
            cel="!has(self.memory) || self.memory.provider != 'SQLite' || self.replicas <= 1",
            message="memory SQLite is for one replica: set replicas to 1, or take PostgreSQL",
            holds=lambda spec: spec.memory is None or spec.memory.provider != "SQLite" or spec.replicas <= 1,
        ),
        Rule(
            cel="!has(self.memory) || self.memory.provider != 'SQLite' || !has(self.nodeRef)",
            message="memory SQLite needs pods of its own for its volume: remove nodeRef, or take PostgreSQL",
            holds=lambda spec: spec.memory is None or spec.memory.provider != "SQLite" or spec.node_ref is None,
        ),
    )


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
        Rule(
            cel=(
                "!has(self.spec.memory) || !has(self.spec.memory.claim) || "
                "self.spec.memory.claim.name != self.metadata.name + '-agent-memory'"
            ),
            message="spec.memory.claim: this is the claim that is made for the agent: leave claim out, and set storage",
            holds=lambda agent: (
                agent.spec.memory is None
                or agent.spec.memory.claim is None
                or agent.spec.memory.claim.name != f"{agent.metadata.name}-agent-memory"
            ),
        ),
    )

    spec: IsekAgentSpec
    """What the agent is to be."""
    status: HostedStatus = HostedStatus()
    """What the agent is."""
