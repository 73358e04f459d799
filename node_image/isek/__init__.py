"""Isek: agents that find each other, talk to each other and solve tasks together."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isek.agent.agent import IsekAgent
    from isek.agent.limits import Budget, Guardrails, Limits
    from isek.asking import CallContext
    from isek.errors import CallError, IsekError, RunError
    from isek.loop_result import Handoff, LoopExit, LoopResult
    from isek.memory.memory import Memory
    from isek.models.base import Image, Message, Model, ModelReply
    from isek.models.echo import EchoModel
    from isek.models.openai import OpenAIModel
    from isek.models.scripted import ScriptedModel
    from isek.tools.base import RiskLevel, Tool, ToolError
    from isek.tools.function import FunctionTool
    from isek.tools.toolkit import Toolkit

WHERE = {
    "Budget": "isek.agent.limits",
    "CallContext": "isek.asking",
    "CallError": "isek.errors",
    "EchoModel": "isek.models.echo",
    "FunctionTool": "isek.tools.function",
    "Guardrails": "isek.agent.limits",
    "Handoff": "isek.loop_result",
    "Image": "isek.models.base",
    "IsekAgent": "isek.agent.agent",
    "IsekError": "isek.errors",
    "Limits": "isek.agent.limits",
    "LoopExit": "isek.loop_result",
    "LoopResult": "isek.loop_result",
    "Memory": "isek.memory.memory",
    "Message": "isek.models.base",
    "Model": "isek.models.base",
    "ModelReply": "isek.models.base",
    "OpenAIModel": "isek.models.openai",
    "RiskLevel": "isek.tools.base",
    "RunError": "isek.errors",
    "ScriptedModel": "isek.models.scripted",
    "Tool": "isek.tools.base",
    "ToolError": "isek.tools.base",
    "Toolkit": "isek.tools.toolkit",
}
"""What is offered, by where it is: imported when it is first used, so that a program pays for what it takes."""

__all__ = ["__version__", *WHERE]  # noqa: PLE0604  (names, all of them)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("isek-operator")
    if name in WHERE:
        return getattr(import_module(WHERE[name]), name)
    raise AttributeError(f"module 'isek' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
