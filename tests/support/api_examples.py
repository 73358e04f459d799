"""Custom resources that are accepted and refused: the same ones for the models and for a real API server."""

from dataclasses import dataclass
from typing import Any

from isek.api import API_VERSION

ECHO: dict[str, Any] = {"provider": "Echo"}
CODE: dict[str, Any] = {"configMapRef": {"name": "poets"}, "entrypoint": "poets:poet"}


def manifest(kind: str, spec: dict[str, Any], name: str = "example") -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def agent(name: str = "example", **spec: Any) -> dict[str, Any]:
    return manifest("IsekAgent", {"model": ECHO, **spec}, name)


def coded(**spec: Any) -> dict[str, Any]:
    return manifest("IsekAgent", {"code": CODE, **spec})


def team(name: str = "example", **spec: Any) -> dict[str, Any]:
    return manifest("IsekTeam", {"members": [{"agent": {"name": "writer"}}], **spec}, name)


def node(name: str = "example", **spec: Any) -> dict[str, Any]:
    return manifest("IsekNode", spec, name)


def mesh(name: str = "example", **spec: Any) -> dict[str, Any]:
    return manifest("IsekMesh", spec, name)


def selecting(*expressions: dict[str, Any]) -> dict[str, Any]:
    return {"from": "Selector", "selector": {"matchExpressions": list(expressions)}}


@dataclass(frozen=True)
class RuleExample:
    """A CEL rule by what it says, with an object that it refuses and the nearest one that it accepts."""

    message: str
    refused: dict[str, Any]
    accepted: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.refused['kind']}: {self.message}"


EXTERNAL = {"endpoints": ["https://a:2379"], "tlsSecret": {"name": "a"}}
HOSTED: dict[str, Any] = {"nodeRef": {"name": "shared"}}
SQLITE: dict[str, Any] = {"provider": "SQLite", "claim": {"name": "memory"}}
SQLITE_MADE: dict[str, Any] = {"provider": "SQLite", "storage": {"size": "5Gi", "whenDeleted": "Retain"}}
POSTGRESQL: dict[str, Any] = {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "uri"}}}
KINDS = {"IsekAgent": agent, "IsekTeam": team}

ONE_KIND_OF_TOOL = "set exactly one of builtin, python, http, mcp, httpGet, files, sql, webSearch, publish, agent"
FROM_SECRET = {"secretKeyRef": {"name": "keys", "key": "key"}}


def with_header(**header: Any) -> dict[str, Any]:
    return agent(tools=[{"mcp": {"url": "http://tools/mcp", "headers": [{"name": "X-Key", **header}]}}])


STOCK: dict[str, Any] = {"http": {"name": "stock", "description": "How many", "url": "http://stock/"}}
PAGES: dict[str, Any] = {"httpGet": {"allow": ["example.org"]}}
FILES: dict[str, Any] = {"files": {"root": "/data"}}
WRITER: dict[str, Any] = {"agent": {"name": "writer"}}
TOKENS: dict[str, Any] = {"tokensSecret": {"name": "callers"}}
JWT: dict[str, Any] = {"issuer": "https://issuer.test", "audiences": ["isek"]}


def tokens_of(**jwt: Any) -> dict[str, Any]:
    return {"outside": {"from": "Authenticated", "jwt": {**JWT, **jwt}}}


ACCESS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "set name, namespace, or both",
        {"agents": {"from": "Selected", "allow": [{}]}},
        {"agents": {"from": "Selected", "allow": [{"name": "editor"}, {"namespace": "news"}]}},
    ),
    (
        "allow goes with from: Selected",
        {"agents": {"from": "Namespace", "allow": [{"name": "editor"}]}},
        {"agents": {"from": "Namespace"}},
    ),
    ("allow goes with from: Selected", {"agents": {"from": "Selected"}}, {"agents": {}}),
    (
        "from: Authenticated needs tokensSecret, jwt, or both",
        {"outside": {"from": "Authenticated"}},
        {"outside": {"from": "Authenticated", **TOKENS}},
    ),
    ("from: Authenticated needs tokensSecret, jwt, or both", {"outside": TOKENS}, {"outside": {"from": "Nobody"}}),
    ("set exactly one of jwksURL, jwks", tokens_of(), tokens_of(jwks="{}")),
    (
        "set exactly one of jwksURL, jwks",
        tokens_of(jwks="{}", jwksURL="https://issuer.test/keys"),
        tokens_of(jwksURL="https://issuer.test/keys"),
    ),
]

RELAY = "/ip4/192.0.2.4/tcp/30000/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
OUTSIDE = {"type": "NodePort", "names": ["192.0.2.4"]}


def relays(**fields: Any) -> dict[str, Any]:
    return mesh(p2p={"relays": {"replicas": 1, **fields}})


RULES = [
    RuleExample(
        "expose is for an etcd that the operator provisions",
        mesh(etcd={"external": EXTERNAL, "expose": OUTSIDE}),
        mesh(etcd={"expose": OUTSIDE}),
    ),
    RuleExample(
        "hosts goes with NodePort: the names",
        relays(service={"type": "NodePort"}),
        relays(service={"type": "NodePort", "hosts": ["192.0.2.4"]}),
    ),
    RuleExample(
        "hosts goes with NodePort and LoadBalancer",
        relays(service={"hosts": ["192.0.2.4"]}),
        relays(service={"type": "LoadBalancer", "hosts": ["relay.example.org", "fd00::4"]}),
    ),
    RuleExample(
        "fallback is for calls over libp2p",
        mesh(p2p={"enabled": False, "fallback": "HTTP"}),
        mesh(p2p={"enabled": False, "fallback": "None"}),
    ),
    RuleExample(
        "relays carry libp2p",
        mesh(p2p={"enabled": False, "relays": {"replicas": 1}}),
        mesh(p2p={"enabled": False, "relays": {"addresses": [RELAY]}}),
    ),
    *(
        RuleExample("metadata.name must be a DNS label", make("with.dot"), make("with-dash"))
        for make in (agent, team, node, mesh)
    ),
    *(
        RuleExample("metadata.name must be a DNS label of at most 40", make("a" * 41), make("a" * 40))
        for make in (agent, team, node, mesh)
    ),
    *(
        example
        for make in KINDS.values()
        for example in (
            RuleExample("replicas must be 1 beside nodeRef", make(**HOSTED, replicas=2), make(**HOSTED, replicas=1)),
            RuleExample(
                "template has no effect beside nodeRef", make(**HOSTED, template={"image": "x"}), make(**HOSTED)
            ),
            RuleExample("meshRef has no effect beside nodeRef", make(**HOSTED, meshRef={"name": "m"}), make(**HOSTED)),
        )
    ),
    RuleExample(
        ONE_KIND_OF_TOOL,
        agent(tools=[{"builtin": "calculator", "agent": {"name": "writer"}}]),
        agent(tools=[{"builtin": "calculator"}, {"agent": {"name": "writer"}}]),
    ),
    RuleExample(ONE_KIND_OF_TOOL, agent(tools=[{}]), agent(tools=[])),
    RuleExample(
        "set exactly one of value, valueFrom", with_header(value="a", valueFrom=FROM_SECRET), with_header(value="a")
    ),
    RuleExample("set exactly one of value, valueFrom", with_header(), with_header(valueFrom=FROM_SECRET)),
    RuleExample(
        "an agent cannot be its own tool",
        agent("writer", tools=[{"agent": {"name": "writer"}}]),
        agent("editor", tools=[{"agent": {"name": "writer"}}]),
    ),
    RuleExample(
        "an agent cannot be its own tool",
        agent("writer", tools=[{"agent": {"name": "writer"}}]),
        agent("writer", tools=[{"agent": {"name": "writer", "namespace": "press"}}]),
    ),
    RuleExample("set exactly one of model, code", manifest("IsekAgent", {}), agent()),
    RuleExample("set exactly one of model, code", agent(code=CODE), coded()),
    *(
        RuleExample("beside code, the Python object has its own instructions", coded(**{field: value}), coded())
        for field, value in (
            ("instructions", "You rhyme."),
            ("successCriteria", "It rhymes."),
            ("tools", [{"builtin": "calculator"}]),
            ("memory", {"provider": "InMemory"}),
            ("budget", {"maxTokensPerRun": 100}),
            ("guardrails", {"riskThreshold": "Low"}),
        )
    ),
    *(
        RuleExample(message, make(access=refused), make(access=accepted))
        for message, refused, accepted in ACCESS
        for make in (agent, team, mesh)
    ),
    RuleExample("access needs p2p", mesh(access={}, p2p={"enabled": False}), mesh(access={}, p2p={"enabled": True})),
    RuleExample(
        "entrypoint: a ConfigMap has no packages",
        coded(code={**CODE, "entrypoint": "poets.verse:poet"}),
        coded(code={"entrypoint": "poets.verse:poet"}),
    ),
    *(
        RuleExample(
            "providers OpenAI and LiteLLM need the model's name",
            agent(model={"provider": provider}),
            agent(model={"provider": provider, "name": "gpt-5-mini"}),
        )
        for provider in ("OpenAI", "LiteLLM")
    ),
    *(
        RuleExample("tools: two have one name", agent(tools=[first, second]), agent(tools=[first, third]))
        for first, second, third in (
            ({"builtin": "calculator"}, {"builtin": "calculator"}, {"builtin": "datetime"}),
            (STOCK, {"http": {**STOCK["http"], "url": "http://other/"}}, {"http": {**STOCK["http"], "name": "other"}}),
            (WRITER, WRITER, {"agent": {"name": "writer", "namespace": "press"}}),
            (PAGES, PAGES, {"webSearch": {"url": "http://search/"}}),
            (FILES, {"files": {"root": "/notes"}}, {"mcp": {"url": "http://tools/mcp"}}),
        )
    ),
    RuleExample(
        "api goes with provider OpenAI",
        agent(model={**ECHO, "api": "Responses"}),
        agent(model={"provider": "OpenAI", "name": "gpt-5-mini", "api": "Responses"}),
    ),
    RuleExample(
        "script goes with provider Scripted",
        agent(model={"provider": "Scripted"}),
        agent(model={"provider": "Scripted", "script": [{"text": "hello"}]}),
    ),
    RuleExample(
        "script goes with provider Scripted",
        agent(model={"provider": "Echo", "script": [{"text": "hello"}]}),
        agent(model={"provider": "Echo"}),
    ),
    RuleExample("url goes with provider", agent(memory={"provider": "PostgreSQL"}), agent(memory=POSTGRESQL)),
    RuleExample(
        "url goes with provider", agent(memory={**SQLITE, "url": POSTGRESQL["url"]}), agent(memory={"maxTokens": 4000})
    ),
    RuleExample("claim goes with provider", agent(memory={"claim": SQLITE["claim"]}), agent(memory=SQLITE)),
    RuleExample(
        "storage goes with provider SQLite", agent(memory={**SQLITE, "storage": {}}), agent(memory=SQLITE_MADE)
    ),
    RuleExample(
        "storage goes with provider SQLite",
        agent(memory={**POSTGRESQL, "storage": {}}),
        agent(memory={"provider": "SQLite"}),
    ),
    RuleExample(
        "spec.memory.claim: this is the claim that is made for the agent",
        agent("writer", memory={**SQLITE, "claim": {"name": "writer-agent-memory"}}),
        agent("editor", memory={**SQLITE, "claim": {"name": "writer-agent-memory"}}),
    ),
    RuleExample("SQLite is for one replica", agent(memory=SQLITE, replicas=2), agent(memory=SQLITE, replicas=0)),
    RuleExample("SQLite is for one replica", agent(memory=SQLITE, replicas=2), agent(memory=POSTGRESQL, replicas=2)),
    RuleExample("SQLite needs pods of its own", agent(memory=SQLITE, **HOSTED), agent(memory=POSTGRESQL, **HOSTED)),
    RuleExample("model is the leader's", team(model=ECHO), team()),
    *(
        RuleExample("model is the leader's", team(mode=mode), team(mode=mode, model=ECHO))
        for mode in ("Coordinate", "Route", "Collaborate", "Adaptive")
    ),
    RuleExample(
        "class goes with provider Custom",
        agent(model={"provider": "Custom"}),
        agent(model={"provider": "Custom", "class": "newsroom.models:Own"}),
    ),
    RuleExample(
        "script goes with provider Scripted",
        agent(model={**ECHO, "fallbacks": [{"provider": "Scripted"}]}),
        agent(model={**ECHO, "fallbacks": [ECHO]}),
    ),
    RuleExample(
        "set exactly one of text, output, toolCalls, error, delayMilliseconds",
        agent(model={"provider": "Scripted", "script": [{"text": "hello", "error": "no"}]}),
        agent(model={"provider": "Scripted", "script": [{"text": "hello"}, {"error": "no"}]}),
    ),
    RuleExample(
        "blockedPatterns: must be regular expressions",
        agent(guardrails={"blockedPatterns": ["fine", "("]}),
        agent(guardrails={"blockedPatterns": ["fine", r"\(.*\)", "[0-9]{16}"]}),
    ),
    RuleExample(
        "tls.caSecret is for an etcd that the operator provisions",
        mesh(etcd={"external": EXTERNAL, "tls": {"caSecret": {"name": "ca"}}}),
        mesh(etcd={"external": EXTERNAL}),
    ),
    RuleExample(
        "whoever gives the key replaces it; leave rotation out beside secretName",
        mesh(p2p={"privateNetworkKey": {"secretName": "shared", "rotation": 1}}),
        mesh(p2p={"privateNetworkKey": {"rotation": 1}}),
    ),
    RuleExample(
        "whoever runs the external etcd says how many members it has",
        mesh(etcd={"external": EXTERNAL, "replicas": 3}),
        mesh(etcd={"external": EXTERNAL, "replicas": 1}),
    ),
    RuleExample(
        "set exactly one of agent, team",
        team(members=[{"agent": {"name": "a"}, "team": {"name": "b"}}]),
        team(members=[{"agent": {"name": "a"}}, {"team": {"name": "b"}}]),
    ),
    RuleExample(
        "a team cannot be its own member",
        team("newsroom", members=[{"team": {"name": "newsroom"}}]),
        team("newsroom", members=[{"team": {"name": "editors"}}]),
    ),
    RuleExample(
        "a team cannot be its own member",
        team("newsroom", members=[{"team": {"name": "newsroom"}}]),
        team("newsroom", members=[{"team": {"name": "newsroom", "namespace": "press"}}]),
    ),
    RuleExample(
        "selector goes with from: Selector",
        mesh(allowedNamespaces={"from": "All", "selector": {}}),
        mesh(allowedNamespaces={"from": "All"}),
    ),
    RuleExample(
        "selector goes with from: Selector",
        mesh(allowedNamespaces={"from": "Selector"}),
        mesh(allowedNamespaces={"from": "Selector", "selector": {"matchLabels": {"team": "press"}}}),
    ),
    RuleExample(
        "values go with the operators In and NotIn",
        mesh(allowedNamespaces=selecting({"key": "team", "operator": "In"})),
        mesh(allowedNamespaces=selecting({"key": "team", "operator": "In", "values": ["press"]})),
    ),
    RuleExample(
        "values go with the operators In and NotIn",
        mesh(allowedNamespaces=selecting({"key": "team", "operator": "Exists", "values": ["press"]})),
        mesh(allowedNamespaces=selecting({"key": "team", "operator": "Exists"})),
    ),
    *(
        example
        for make in (agent, team, node)
        for example in (
            RuleExample(
                "set value or valueFrom, not both",
                make(template={"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}),
                make(template={"env": [{"name": "A", "value": "1"}]}),
            ),
            RuleExample(
                "names that begin with ISEK_ are set by the operator",
                make(template={"env": [{"name": "ISEK_PORT", "value": "1"}]}),
                make(template={"env": [{"name": "PORT", "value": "1"}]}),
            ),
            RuleExample(
                "labels under isek.io/ and app.kubernetes.io/ are set by the operator",
                make(template={"labels": {"isek.io/agent": "x"}}),
                make(template={"labels": {"team": "x"}}),
            ),
        )
    ),
]


@dataclass(frozen=True)
class SchemaExample:
    """An object that the schema refuses, and the field that the refusal has to name."""

    field: str
    refused: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.refused['kind']}: {self.field}"


SCHEMA = [
    SchemaExample("spec.code.entrypoint", agent(code={"entrypoint": "no-module"})),
    SchemaExample("spec.model.provider", agent(model={"provider": "openai", "name": "x"})),
    SchemaExample("spec.model.baseURL", agent(model={"provider": "OpenAI", "name": "x", "baseURL": "models"})),
    SchemaExample("spec.model.class", agent(model={"provider": "Custom", "class": "no-module"})),
    SchemaExample("spec.replicas", agent(replicas=-1)),
    SchemaExample("spec.limits.maxIterations", agent(limits={"maxIterations": 0})),
    SchemaExample("spec.limits.maxToolCalls", agent(limits={"maxToolCalls": -1})),
    SchemaExample("spec.budget.maxTokensPerRun", agent(budget={"maxTokensPerRun": 0})),
    SchemaExample("spec.guardrails.riskThreshold", agent(guardrails={"riskThreshold": "Extreme"})),
    SchemaExample("spec.memory.storage.size", agent(memory={**SQLITE_MADE, "storage": {"size": "lots"}})),
    SchemaExample("spec.tools[0].mcp.pins", agent(tools=[{"mcp": {"url": "http://x/", "pins": {"search": "md5:0"}}}])),
    SchemaExample("spec.nodeRef.name", agent(nodeRef={"name": "With.Dot"})),
    SchemaExample("instructionz", agent(instructionz="typo")),
    SchemaExample("spec.members", team(members=[])),
    SchemaExample("spec.mode", team(mode="Parallel")),
    SchemaExample("spec.maxRounds", team(maxRounds=0)),
    SchemaExample("spec.onMemberFailure", team(onMemberFailure="Retry")),
    SchemaExample("spec.retries.backoffSeconds", team(retries={"backoffSeconds": []})),
    SchemaExample("spec.meshRef.namespace", node(meshRef={"name": "default", "namespace": "With.Dot"})),
    SchemaExample("spec.allowedNamespaces.from", mesh(allowedNamespaces={"from": "Some"})),
    SchemaExample("spec.maxAgents", node(maxAgents=0)),
    SchemaExample("spec.etcd.replicas", mesh(etcd={"replicas": 2})),
    SchemaExample(
        "spec.etcd.external.endpoints[0]", mesh(etcd={"external": {**EXTERNAL, "endpoints": ["http://a:1"]}})
    ),
    SchemaExample("spec.etcd.external.tlsSecret", mesh(etcd={"external": {"endpoints": ["https://a:2379"]}})),
    SchemaExample("spec.etcd.storage.size", mesh(etcd={"storage": {"size": "lots"}})),
    SchemaExample("spec.meshID", mesh(meshID="With Space")),
]
