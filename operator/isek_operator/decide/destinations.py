"""What pods have to reach beyond their mesh: the hosts of the URLs that a resource names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from isek.api import IsekAgent, Resource
from isek.api.access import Access
from isek.api.tool import Tool

from isek_operator.decide.access import effective_access
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.references import Hosted, User, mesh, mesh_name, models
from isek_operator.decide.world import World

DEFAULT_ENDPOINT = "https://api.openai.com"
"""Where a model answers that names no other endpoint: LiteLLM's, too, are public and speak HTTPS."""

SOME_WEBHOOK = "https://webhook.example.org"
"""Callers name theirs when they ask: public ones speak HTTPS."""

SCHEME_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Pods:
    """The pods behind a Service of the cluster."""

    namespace: str
    labels: frozenset[tuple[str, str]]
    port: int | str
    """A name is looked up in each pod."""


@dataclass(frozen=True)
class Address:
    """One address that the user wrote, also a private one."""

    ip: str
    port: int


@dataclass(frozen=True)
class Public:
    """A host somewhere on the internet; its addresses change."""

    port: int


@dataclass(frozen=True)
class Anywhere:
    """Some host, inside the cluster or not: the operator does not look into Secrets for it, or looks no name up."""

    port: int


Destination = Pods | Address | Public | Anywhere

POSTGRESQL = Anywhere(5432)
"""Where databases answer whose URLs are in Secrets, as far as anybody can tell without them."""


def destinations(resources: Iterable[Resource], world: World) -> frozenset[Destination]:
    """What the pods that host ``resources`` have to reach.

    A Service that is not there, or that names no pods, opens nothing: nobody knows where it leads.
    """
    return frozenset(
        found
        for resource in resources
        for found in (
            *(_destination(url, resource.namespace, world) for url in _urls(resource, world)),
            POSTGRESQL if _calls_a_database(resource) else None,
        )
        if found is not None
    )


def service_names(resources: Iterable[Resource], world: World) -> frozenset[tuple[str, str]]:
    """Namespace and name of every Service that ``resources`` may mean by a URL."""
    return frozenset(
        named
        for resource in resources
        for url in _urls(resource, world)
        if (named := _service_name(url.hostname or "", resource.namespace, world)) is not None
    )


def _urls(resource: Resource, world: World) -> Iterator[SplitResult]:
    if isinstance(resource, User) and (named := mesh_name(resource, world)):
        joined = mesh(*named, world)
        if joined and joined.spec.etcd.external:
            yield from map(urlsplit, joined.spec.etcd.external.endpoints)
        if joined and isinstance(resource, Hosted):
            yield from map(urlsplit, _issuers(effective_access(resource, joined)))
    for _, model in models(resource):
        if model.provider in {"OpenAI", "LiteLLM"}:
            yield urlsplit(model.base_url or DEFAULT_ENDPOINT)
    if isinstance(resource, Hosted) and (push := resource.spec.push_notifications):
        yield urlsplit(SOME_WEBHOOK)
        yield from (urlsplit(f"http://{host}") for host in push.allowed_hosts)
    if isinstance(resource, IsekAgent):
        if resource.spec.code:
            yield urlsplit(DEFAULT_ENDPOINT)  # what its model is, the code alone knows
        for tool in resource.spec.tools:
            yield from map(urlsplit, _tool_urls(tool))


def _issuers(access: Access | None) -> Iterator[str]:
    """Where the keys are that sign the tokens of callers."""
    jwt = access.outside.jwt if access and access.outside else None
    if jwt and jwt.jwks_url:
        yield jwt.jwks_url


def _calls_a_database(resource: Resource) -> bool:
    if not isinstance(resource, IsekAgent):
        return False
    memory = resource.spec.memory
    return bool(memory and memory.url) or any(tool.sql for tool in resource.spec.tools)


def _tool_urls(tool: Tool) -> Iterator[str]:
    for asked in (tool.http, tool.mcp, tool.web_search):
        if asked:
            yield asked.url
    for host in tool.http_get.allow if tool.http_get else ():
        named = f"[{host}]" if ":" in host else host
        yield from (f"{scheme}://{named}" for scheme in SCHEME_PORTS)


def _destination(url: SplitResult, namespace: str, world: World) -> Destination | None:
    host, port = url.hostname or "", _port(url)
    if port is None:
        return None
    try:
        return Address(str(ip_address(host)), port)
    except ValueError:
        pass
    named = _service_name(host, namespace, world)
    if named is None:
        return Public(port)
    service = world.named("Service", *named)
    return _behind(named[0], service, port) if service else None


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or SCHEME_PORTS[url.scheme]
    except ValueError:
        return None  # beyond 65535; the node says so


def _service_name(host: str, namespace: str, world: World) -> tuple[str, str] | None:
    """``<service>``, ``<service>.<namespace>`` or ``<service>.<namespace>.svc``, also with the cluster's domain behind.

    Two labels may be a host as well (``example.org``): they are where there is no such namespace.
    """
    match host.rstrip(".").split("."):
        case [service] if service:
            return namespace, service
        case [service, of, "svc", *_]:
            return of, service
        case [service, of] if of == namespace or world.namespace_labels(of) is not None:
            return of, service
        case _:
            return None


def _behind(namespace: str, service: Manifest, port: int) -> Destination | None:
    """The pods that a Service leads to (core/v1 ServiceSpec); a headless one leads to its pods' own port."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return Public(port)
    if not spec.get("selector"):
        return None
    labels = frozenset(spec["selector"].items())
    if spec.get("clusterIP") == "None":
        return Pods(namespace, labels, port)
    for each in spec.get("ports") or ():
        if each["port"] == port and each.get("protocol", "TCP") == "TCP":
            return Pods(namespace, labels, each.get("targetPort") or port)
    return None
