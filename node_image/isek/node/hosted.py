"""What a node hosts: read from its file, and built."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from isek import __version__
from isek.agent.agent import IsekAgent as Agent
from isek.agent.build import build_agent
from isek.api import IsekAgent, IsekTeam
from isek.api.access import Access
from isek.api.documents import DocumentError, load
from isek.api.workload import Limits
from isek.asking import Asks, Runner
from isek.node.code import Loader
from isek.node.effort import Effort
from isek.node.settings import NodeSettings
from isek.protocol.card_hash import card_hash
from isek.team.build import build_team
from isek.team.team import IsekTeam as Team
from isek.tools.mcp import MCPToolkit

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
    topics: tuple[str, ...] = ()
    """What it listens to."""
    max_concurrent_tasks: int = Limits().max_concurrent_tasks
    timeout_seconds: float = float("inf")
    """For a run, beside what the runner itself allows."""
    push_hosts: tuple[str, ...] | None = None
    """Where callers may be told that a task has ended, beside public addresses; None: nowhere."""
    access: Access = field(default_factory=Access)
    """Who may call it."""
    given_description: str = ""
    """In the place of the runner's own."""
    running: int = 0
    """Runs right now."""
    effort: Effort = field(default_factory=Effort)
    """What its runs take."""

    @classmethod
    def of(cls, resource: Hostable, runner: Runner) -> "Hosted":
        """What ``resource`` describes."""
        limits = resource.spec.limits
        return cls(
            name=resource.name,
            namespace=resource.namespace,
            kind="Team" if isinstance(runner, Team) else "Agent",
            runner=runner,
            capabilities=resource.spec.capabilities if isinstance(resource, IsekAgent) else (),
            topics=resource.spec.topics,
            max_concurrent_tasks=limits.max_concurrent_tasks,
            timeout_seconds=limits.timeout_seconds,
            access=resource.spec.access or Access(),
            push_hosts=push.allowed_hosts if (push := resource.spec.push_notifications) else None,
            given_description=resource.spec.description,
        )

    @property
    def description(self) -> str:
        """What it is good for; stands on its card."""
        return self.given_description or self.runner.description

    @property
    def address(self) -> str:
        """``<agent>.<namespace>``."""
        return f"{self.name}.{self.namespace}"

    @property
    def remembers(self) -> bool:
        """Whether a conversation goes on by its session id, without being told again."""
        return getattr(self.runner, "memory", None) is not None

    @property
    def changed_tools(self) -> tuple[str, ...]:
        """What is wrong with tools of MCP servers that are not what they were when they were accepted."""
        tools = self.runner.tools if isinstance(self.runner, Agent) else ()
        return tuple(what for tool in tools if isinstance(tool, MCPToolkit) for what in tool.changed)

    @property
    def card_hash(self) -> str:
        """Tells whether the agent's card has changed; where the agent answers makes no difference."""
        return card_hash(__version__, self.name, self.description or self.name, self.capabilities or (self.name,))


@dataclass(frozen=True)
class Broken:
    """An agent or a team that this node was to host, and could not build."""

    name: str
    namespace: str
    kind: Literal["IsekAgent", "IsekTeam"]
    """Of the resource."""
    message: str
    """Why."""
    access: Access = field(default_factory=Access)
    """Who might call it."""

    @property
    def address(self) -> str:
        """``<agent>.<namespace>``."""
        return f"{self.name}.{self.namespace}"


Built = Hosted | Broken


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


def build_hosted(resources: Iterable[Hostable], asks: Asks, settings: NodeSettings) -> list[Built]:
    """What runs them; ``asks`` carries what they ask each other and the mesh. One that fails harms no other."""
    loader = Loader()
    built: list[Built] = []
    for resource in resources:
        kind: Literal["IsekAgent", "IsekTeam"] = "IsekAgent" if isinstance(resource, IsekAgent) else "IsekTeam"
        try:
            _check_keys(resource.spec.access)
            runner = _runner(resource, asks, settings, loader)
        except ValueError as error:
            access = resource.spec.access or Access()
            built.append(Broken(resource.name, resource.namespace, kind, str(error), access))
            continue
        built.append(Hosted.of(resource, runner))
    return built


def _check_keys(access: Access | None) -> None:
    """Whether the keys do that sign the tokens of callers.

    Raises:
        ValueError: they do not; says why.
    """
    jwt = access.outside.jwt if access and access.outside else None
    if jwt is not None and jwt.jwks is not None:
        from isek.node.json_web_tokens import read_keys  # noqa: PLC0415  (cryptography, which few need)

        try:
            read_keys(jwt.jwks)
        except ValueError as error:
            raise ValueError(f"spec.access.outside.jwt.jwks: {error}") from None


def _runner(resource: Hostable, asks: Asks, settings: NodeSettings, loader: Loader) -> Runner:
    if not isinstance(resource, IsekAgent):
        return build_team(resource, asks, settings.secrets_dir)
    if resource.spec.code is None:
        return build_agent(resource, asks, settings.secrets_dir, settings.memory_dir)
    source = resource.spec.code.config_map_ref
    return loader.load(resource.spec.code.entrypoint, settings.code_dir / source.name if source else None)
