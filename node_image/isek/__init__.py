"""Isek: agents that find each other, talk to each other and solve tasks together."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isek.events import AskEnded as AskEnded
    from isek.events import AskStarted as AskStarted
    from isek.events import ModelReplied as ModelReplied
    from isek.events import RunEnded as RunEnded
    from isek.events import RunStarted as RunStarted
    from isek.events import TextDelta as TextDelta
    from isek.events import ToolEnded as ToolEnded
    from isek.events import ToolStarted as ToolStarted
    from isek.models.base import OutputSchema as OutputSchema
    from isek.models.base import ToolCall as ToolCall
    from isek.models.base import ToolSchema as ToolSchema
    from isek.models.base import Usage as Usage
    from isek.tools.calculator import Calculator as Calculator
    from isek.tools.date_time import DateTime as DateTime
    from isek.tools.files import Files as Files
    from isek.tools.http_get import HttpGet as HttpGet
    from isek.tools.sql import Sql as Sql
    from isek.tools.web_search import WebSearch as WebSearch

    __version__: str
    """Of the distribution."""
    from isek.agent.adapter import Adapter as Adapter
    from isek.agent.agent import IsekAgent as IsekAgent
    from isek.agent.limits import Budget as Budget
    from isek.agent.limits import Guardrails as Guardrails
    from isek.agent.limits import Limits as Limits
    from isek.asking import CallContext as CallContext
    from isek.errors import CallError as CallError
    from isek.errors import IsekError as IsekError
    from isek.errors import RunError as RunError
    from isek.log import configure_logging as configure_logging
    from isek.loop_result import Handoff as Handoff
    from isek.loop_result import LoopExit as LoopExit
    from isek.loop_result import LoopResult as LoopResult
    from isek.memory.errors import MemoryUnavailable as MemoryUnavailable
    from isek.memory.memory import Memory as Memory
    from isek.memory.records import Session as Session
    from isek.models.base import Image as Image
    from isek.models.base import Message as Message
    from isek.models.base import Model as Model
    from isek.models.base import ModelReply as ModelReply
    from isek.models.echo import EchoModel as EchoModel
    from isek.models.errors import ModelError as ModelError
    from isek.models.fallback import FallbackModel as FallbackModel
    from isek.models.litellm import LiteLLMModel as LiteLLMModel
    from isek.models.openai import OpenAIModel as OpenAIModel
    from isek.models.scripted import ScriptedModel as ScriptedModel
    from isek.node.node import Node as Node
    from isek.processes.errors import LocalError as LocalError
    from isek.registry.center_client import CenterRegistry as CenterRegistry
    from isek.registry.default import DefaultRegistry as DefaultRegistry
    from isek.registry.etcd import EtcdRegistry as EtcdRegistry
    from isek.team.retries import Retries as Retries
    from isek.team.team import IsekTeam as IsekTeam
    from isek.tools.base import RiskLevel as RiskLevel
    from isek.tools.base import Tool as Tool
    from isek.tools.base import ToolError as ToolError
    from isek.tools.function import FunctionTool as FunctionTool
    from isek.tools.function import tool as tool
    from isek.tools.http import HttpTool as HttpTool
    from isek.tools.mcp import MCPToolkit as MCPToolkit
    from isek.tools.toolkit import Toolkit as Toolkit

WHERE = {
    "Adapter": "isek.agent.adapter",
    "AskEnded": "isek.events",
    "AskStarted": "isek.events",
    "Budget": "isek.agent.limits",
    "Calculator": "isek.tools.calculator",
    "CallContext": "isek.asking",
    "CallError": "isek.errors",
    "CenterRegistry": "isek.registry.center_client",
    "DateTime": "isek.tools.date_time",
    "DefaultRegistry": "isek.registry.default",
    "EchoModel": "isek.models.echo",
    "EtcdRegistry": "isek.registry.etcd",
    "FallbackModel": "isek.models.fallback",
    "Files": "isek.tools.files",
    "FunctionTool": "isek.tools.function",
    "Guardrails": "isek.agent.limits",
    "Handoff": "isek.loop_result",
    "HttpGet": "isek.tools.http_get",
    "HttpTool": "isek.tools.http",
    "Image": "isek.models.base",
    "IsekAgent": "isek.agent.agent",
    "IsekError": "isek.errors",
    "IsekTeam": "isek.team.team",
    "Limits": "isek.agent.limits",
    "LiteLLMModel": "isek.models.litellm",
    "LocalError": "isek.processes.errors",
    "LoopExit": "isek.loop_result",
    "LoopResult": "isek.loop_result",
    "MCPToolkit": "isek.tools.mcp",
    "Memory": "isek.memory.memory",
    "MemoryUnavailable": "isek.memory.errors",
    "Message": "isek.models.base",
    "Model": "isek.models.base",
    "ModelError": "isek.models.errors",
    "ModelReplied": "isek.events",
    "ModelReply": "isek.models.base",
    "Node": "isek.node.node",
    "OpenAIModel": "isek.models.openai",
    "OutputSchema": "isek.models.base",
    "Retries": "isek.team.retries",
    "RiskLevel": "isek.tools.base",
    "RunEnded": "isek.events",
    "RunError": "isek.errors",
    "RunStarted": "isek.events",
    "ScriptedModel": "isek.models.scripted",
    "Session": "isek.memory.records",
    "Sql": "isek.tools.sql",
    "TextDelta": "isek.events",
    "Tool": "isek.tools.base",
    "ToolCall": "isek.models.base",
    "ToolEnded": "isek.events",
    "ToolError": "isek.tools.base",
    "ToolSchema": "isek.models.base",
    "ToolStarted": "isek.events",
    "Toolkit": "isek.tools.toolkit",
    "Usage": "isek.models.base",
    "WebSearch": "isek.tools.web_search",
    "configure_logging": "isek.log",
    "tool": "isek.tools.function",
}
"""What is offered, by where it is: imported when it is first used, so that a program pays for what it takes."""

OF_EXTRAS = {"LiteLLMModel": "litellm", "OpenAIModel": "openai"}
"""What ``from isek import *`` takes only where its package is installed."""

__all__ = ["__version__", *(name for name in WHERE if name not in OF_EXTRAS or find_spec(OF_EXTRAS[name]))]  # noqa: PLE0604  (names, all of them)


if not TYPE_CHECKING:  # a type checker sees the imports above, and what is not among them

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415

            return version("isek-operator")
        if name in WHERE:
            try:
                return getattr(import_module(WHERE[name]), name)
            except ModuleNotFoundError as error:
                from isek.extras import missing  # noqa: PLC0415

                raise missing(name, error) from None
        raise AttributeError(f"module 'isek' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
