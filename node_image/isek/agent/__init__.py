"""One agent at work: the loop between its model and its tools."""

from isek.agent.run import LoopExit, LoopObserver, LoopResult, Runner
from isek.agent.runner import AgentRunner

__all__ = ["AgentRunner", "LoopExit", "LoopObserver", "LoopResult", "Runner"]
