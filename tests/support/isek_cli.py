"""The isek command as a user of a cluster runs it."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isek.trace import Trace

from tests.support.kubectl import Kubectl, run

PROGRAM = Path(sys.executable).parent / "isek"


@dataclass(frozen=True)
class Reply:
    """What ``isek ask`` printed."""

    text: str
    trace: Trace


class Isek:
    """Runs isek against one namespace of a cluster; each call makes a port-forward of its own."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    async def __call__(self, *arguments: str) -> str:
        """Run ``isek ARGUMENTS``; return its standard output, raise ``CommandFailedError`` with its errors."""
        # no local mesh that a developer runs gets in between
        environment = {**self._kubectl.environment, "XDG_STATE_HOME": os.devnull}
        return await run(PROGRAM, *arguments, env=environment)

    async def ask(self, name: str, message: str, *options: str) -> Reply:
        answer = json.loads(
            await self("ask", "--namespace", self._kubectl.namespace, "--output", "json", *options, name, message)
        )
        return Reply(text=answer["response"], trace=Trace.model_validate(answer["trace"]))

    async def nodes(self) -> dict[str, dict[str, Any]]:
        """The registered nodes of the namespace's default mesh, by node id."""
        answer = json.loads(await self("nodes", "--namespace", self._kubectl.namespace, "--output", "json"))
        return {node["nodeId"]: node for node in answer["nodes"]}

    async def nodes_of(self, agent: str) -> set[str]:
        """The ids of the nodes that host an agent or a team."""
        return {
            node_id
            for node_id, node in (await self.nodes()).items()
            if any(hosted["name"] == agent for hosted in node["agents"])
        }
