"""Specifications drawn from the schemas of the CRDs: what they accept, and what they refuse."""

import functools
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.kube import Object

CRDS = Path(__file__).parents[2] / "crds"

NAMES: dict[str, tuple[str, ...]] = {
    "IsekMesh": ("default", "ground"),
    "IsekNode": ("shared",),
    "IsekAgent": ("writer", "editor", "critic"),
    "IsekTeam": ("newsroom", "desk"),
}
"""Few, so that they meet. Agents and teams have no name in common: who of two is older would count."""
AGENTS, TEAMS = NAMES["IsekAgent"], NAMES["IsekTeam"]

MEANT: dict[str, SearchStrategy[Any]] = {
    "meshRef.name": st.sampled_from((*NAMES["IsekMesh"], "nowhere")),
    "nodeRef.name": st.sampled_from((*NAMES["IsekNode"], "nowhere")),
    "members[].agent.name": st.sampled_from((*AGENTS, "nobody")),
    "members[].team.name": st.sampled_from(TEAMS),
    "tools[].agent.name": st.sampled_from((*AGENTS, *TEAMS, "nobody")),
    "secretKeyRef.name": st.sampled_from(("openai", "missing")),
    "secretKeyRef.key": st.sampled_from(("api-key", "missing")),
    "model.provider": st.sampled_from(("Echo", "OpenAI")),
    "valueFrom": st.sampled_from(
        [
            {"fieldRef": {"fieldPath": "metadata.name"}},
            {"secretKeyRef": {"name": "openai", "key": "api-key"}},
            {"secretKeyRef": {"name": "missing", "key": "api-key"}},
            {"nonsense": {}},
        ]
    ),
    "resources": st.sampled_from([{}, {"limits": {"cpu": "1500m"}}, {"limits": "all"}]),
    "affinity": st.sampled_from([{}, {"nodeAffinity": {}}, {"nodeAffinity": "somewhere"}]),
    "tolerations[]": st.sampled_from([{"key": "gpu", "operator": "Exists"}, {"nonsense": "nowhere"}]),
    "topologySpreadConstraints[]": st.sampled_from(
        [{"maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"} for skew in (1, 0)]
    ),
    "parameters": st.sampled_from([{}, {"temperature": 0.5}]),
    "{}": st.sampled_from(["a", "b", "no good value!"]),
    "maxAgents": st.integers(10, 30),
    "relays.replicas": st.integers(0, 2),
    "relays.service": st.sampled_from([{}, {"type": "LoadBalancer"}, {"type": "LoadBalancer", "hosts": ["a.example"]}]),
    "relays.addresses[]": st.sampled_from(
        [f"/dns4/{host}.example/tcp/443/wss/p2p/12D3KooW{'x' * 44}" for host in "ab"]
    ),
    "spec.replicas": st.integers(0, 3),
    "spec.memory": st.sampled_from(
        [
            {},
            {"provider": "SQLite"},
            {"provider": "SQLite", "storage": {"size": "1024Mi", "whenDeleted": "Delete"}},
            {"provider": "SQLite", "storage": {"size": "0"}},
            {"provider": "SQLite", "storage": {}, "claim": {"name": "missing"}},
            {"provider": "SQLite", "claim": {"name": "missing"}},
        ]
    ),
}
"""By the end of a field's path: what refers to what, and what the CRD asks no shape for, but a child does. Volumes are
of one size and go with their agents: what another claim is depends on what it was."""
LEFT_OUT = {
    "Ref.namespace",
    "agent.namespace",
    "team.namespace",
    "allowedNamespaces",
    "members[].capability",
    "spec.etcd",
    "p2p.privateNetworkKey",
    "model.api",
    "model.script",
    "model.baseURL",
    "model.class",
    "model.fallbacks",
    "spec.access",
    "spec.pushNotifications",
    "template.tlsSecret",
    "spec.budget",
    "spec.guardrails",
    "spec.code",
    "spec.topics",
    *(f"tools[].{name}" for name in ("python", "http", "mcp", "httpGet", "files", "sql", "webSearch", "publish")),
}
"""``etcd`` needs pods that run; the others are about other namespaces, about what only a node looks at, or refer to
Secrets in a way that others show."""
NEEDED = {"IsekAgent": ("model",)}
"""What the schema lets be left out, and a rule across fields does not: of an agent without code its model."""
MOST_ITEMS = 3
LONGEST = 12


@functools.cache
def specification(kind: str) -> SearchStrategy[Object]:
    """Draw a specification that the schema accepts; the rules across fields may still refuse it."""
    return _accepted(_schema(kind), "spec")


@functools.cache
def broken(kind: str) -> SearchStrategy[Object]:
    """Draw a specification with one field that the schema refuses."""
    wrong = st.sampled_from([("replicas", -1), ("nonsense", True), ("template", 7), ("meshRef", {}), ("p2p", "on")])
    return st.tuples(specification(kind), wrong).map(lambda pair: {**pair[0], pair[1][0]: pair[1][1]})


def _schema(kind: str) -> Object:
    definition = yaml.safe_load((CRDS / f"{_plural(kind)}.yaml").read_text())
    schema: Object = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return {**schema, "required": [*schema.get("required", ()), *NEEDED.get(kind, ())]}


def _plural(kind: str) -> str:
    return {"IsekMesh": "isekmeshes"}.get(kind, f"{kind.lower()}s")


def _accepted(schema: Object, path: str) -> SearchStrategy[Any]:
    for end, strategy in MEANT.items():
        if path.endswith(end):
            return strategy
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(schema, path)
        case "array":
            most = min(schema.get("maxItems", MOST_ITEMS), MOST_ITEMS)
            return st.lists(_accepted(schema["items"], f"{path}[]"), min_size=schema.get("minItems", 0), max_size=most)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
        case "string" if "pattern" in schema:
            pattern = schema["pattern"]
            fits = st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii"))
            return fits.filter(lambda text: len(text) <= min(schema.get("maxLength", LONGEST), LONGEST))
        case "string":
            # of printable characters: a YAML parser refuses others
            letters = st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))
            return st.text(letters, min_size=schema.get("minLength", 0), max_size=LONGEST)
        case _:
            raise ValueError(f"{path}: nothing is known about {schema}")


def _object(schema: Object, path: str) -> SearchStrategy[Object]:
    if "additionalProperties" in schema:
        values = _accepted(schema["additionalProperties"], f"{path}{{}}")
        return st.dictionaries(st.sampled_from(["team", "example.com/team", "not a name"]), values, max_size=2)
    required = set(schema.get("required", ()))
    fields = {
        name: _accepted(field, f"{path}.{name}")
        for name, field in schema["properties"].items()
        if not any(f"{path}.{name}".endswith(end) for end in LEFT_OUT)
    }
    needed = {name: field for name, field in fields.items() if name in required}
    return st.fixed_dictionaries(
        needed, optional={name: field for name, field in fields.items() if name not in required}
    )
