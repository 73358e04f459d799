"""What a node hosts, read from its file."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isek import __version__
from isek.agent.build import build_agent
from isek.api import IsekAgent, IsekTeam
from isek.api.documents import DocumentError, load
from isek.api.workload import Limits
from isek.asking import Asks, Runner
from isek.node.metrics import Metrics
from isek.team.build import build_team

Hostable = IsekAgent | IsekTeam


@dataclass
class Hosted:
    """An agent or a team on this node."""

    name: str
    """The name, without the namespace."""
    namespace: str
    kind: Literal["Agent", "Team"]
    runner: Runner
    capabilities: tuple[str, ...] = ()
    """What others may ask it for."""
    max_concurrent_tasks: int = Limits().max_concurrent_tasks
    running: int = 0
    """Runs right now."""

    @classmethod
    def of(cls, resource: Hostable, runner: Runner) -> "Hosted":
        """What ``resource`` describes."""
        return cls(
            name=resource.name,
            namespace=resource.namespace,
            kind="Agent" if isinstance(resource, IsekAgent) else "Team",
            runner=runner,
            capabilities=resource.spec.capabilities if isinstance(resource, IsekAgent) else (),
            max_concurrent_tasks=resource.spec.limits.max_concurrent_tasks,
        )

    @property
    def address(self) -> str:
        """``<agent>.<namespace>``."""
        return f"{self.name}.{self.namespace}"

    @property
    def remembers(self) -> bool:
        """Whether a conversation goes on by its session id, without being told again."""
        return getattr(self.runner, "memory", None) is not None

    @property
    def card_hash(self) -> str:
        """Tells whether the agent's card has changed; where the agent answers makes no difference."""
        on_card = [__version__, self.name, self.runner.description, *self.capabilities]
        return hashlib.sha256(json.dumps(on_card).encode()).hexdigest()[:12]


def read_hosted(path: Path, namespace: str) -> list[Hostable]:
    """The agents and teams in a file, which all live in ``namespace``.

    Raises:
        DocumentError: the file is wrong; one line for each problem.
    """
    hostable: list[Hostable] = []
    problems: list[str] = []
    names: set[str] = set()
    for resource in load([path], namespace=namespace):
        if not isinstance(resource, IsekAgent | IsekTeam):
            kind = getattr(resource, "kind", None) or getattr(resource, "manifest", {}).get("kind")
            problems.append(f"{path}: a node hosts IsekAgent and IsekTeam, not {kind}")
            continue
        where = f"{path}: {resource.kind} {resource.name}"
        if resource.namespace != namespace:
            problems.append(f"{where}: metadata.namespace: is {resource.namespace!r}; this node hosts {namespace!r}")
        if resource.name in names:
            problems.append(f"{where}: metadata.name: is taken already; agents and teams share their names")
        names.add(resource.name)
        hostable.append(resource)
    if problems:
        raise DocumentError("\n".join(problems))
    return hostable


def build_hosted(
    resources: list[Hostable], asks: Asks, secrets_dir: Path, metrics: Metrics, *, memory_dir: Path, source: Path
) -> list[Hosted]:
    """What runs them; ``asks`` carries what they ask each other and the mesh.

    Raises:
        DocumentError: a specification does not work out; one line for each problem.
    """
    hosted: list[Hosted] = []
    problems: list[str] = []
    for resource in resources:
        try:
            hooks = [metrics.observer(resource.name)]
            runner: Runner = (
                build_agent(resource, asks, secrets_dir, memory_dir, hooks)
                if isinstance(resource, IsekAgent)
                else build_team(resource, asks, secrets_dir, hooks)
            )
        except ValueError as error:
            problems.append(f"{source}: {resource.kind} {resource.name}: {error}")
            continue
        hosted.append(Hosted.of(resource, runner))
    if problems:
        raise DocumentError("\n".join(problems))
    return hosted
