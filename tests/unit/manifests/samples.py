"""Custom resources as the API server gives them, and what every built object is held against."""

from collections.abc import Iterable, Iterator
from typing import Any

import kubernetes_validate
from isek.api import API_VERSION, KINDS, IsekAgent, IsekMesh, IsekNode, IsekTeam, Resource
from isek_operator.decide.destinations import Destination
from isek_operator.decide.etcd.membership import Admission, Member, Membership
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.workload import Workload
from isek_operator.manifests.stateful_set import etcd_stateful_set
from isek_operator.settings import OperatorSettings

NAMESPACE = "newsroom"
ETCD_IMAGE = "registry.k8s.io/etcd:test"
SETTINGS = OperatorSettings(node_image="isek/node:test", p2p_image="isek/p2p:test", dns_servers=())
ECHO = {"provider": "Echo"}
OPENAI = {
    "provider": "OpenAI",
    "name": "gpt-5-mini",
    "apiKey": {"secretKeyRef": {"name": "openai", "key": "api-key"}},
}


def resource(kind: str, name: str, spec: dict[str, Any], *, created: int = 0, **metadata: Any) -> Manifest:
    """``created`` is a number of seconds: the larger, the younger."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{kind}-{name}",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:{created // 60:02}:{created % 60:02}Z",
            **metadata,
        },
        "spec": spec,
    }


def agent(name: str = "researcher", *, created: int = 0, **spec: Any) -> Manifest:
    return resource("IsekAgent", name, {"model": ECHO, **spec}, created=created)


def coded(name: str = "poet", config_map: str = "poets", *, entrypoint: str = "poets:poet", **spec: Any) -> Manifest:
    """An agent that is written in Python."""
    return resource(
        "IsekAgent", name, {"code": {"configMapRef": {"name": config_map}, "entrypoint": entrypoint}, **spec}
    )


def team(name: str, *members: dict[str, Any], created: int = 0, **spec: Any) -> Manifest:
    return resource("IsekTeam", name, {"members": list(members), **spec}, created=created)


def node(name: str = "shared", **spec: Any) -> Manifest:
    return resource("IsekNode", name, spec)


def mesh(name: str = "default", *, labels: dict[str, str] | None = None, **spec: Any) -> Manifest:
    return resource("IsekMesh", name, spec, labels=labels or {})


def elsewhere(manifest: Manifest, namespace: str) -> Manifest:
    """The same resource in another namespace."""
    metadata = {**manifest["metadata"], "namespace": namespace, "uid": f"{manifest['metadata']['uid']}-in-{namespace}"}
    return {**manifest, "metadata": metadata}


def parsed(manifest: Manifest) -> Resource:
    return KINDS[manifest["kind"]].model_validate(manifest)


def a_mesh(**spec: Any) -> IsekMesh:
    found = parsed(mesh(**spec))
    assert isinstance(found, IsekMesh)
    return found


def dedicated(
    owner: Manifest,
    of_mesh: IsekMesh | None = None,
    *,
    network_key: str = "key-uid",
    destinations: Iterable[Destination] = (),
) -> Workload:
    """The workload of an agent or a team on pods of its own."""
    found = parsed(owner)
    assert isinstance(found, IsekAgent | IsekTeam)
    return Workload(found, (found,), of_mesh or a_mesh(), network_key, frozenset(destinations))


def shared(owner: Manifest, *hosted: Manifest, of_mesh: IsekMesh | None = None) -> Workload:
    """The workload of a node that hosts these."""
    found, guests = parsed(owner), [parsed(each) for each in hosted]
    assert isinstance(found, IsekNode)
    hosting = tuple(each for each in guests if isinstance(each, IsekAgent | IsekTeam))
    return Workload(found, hosting, of_mesh or a_mesh(), "key-uid", frozenset())


def an_etcd(mesh: IsekMesh | None = None, *, members: int = 3, trust: str = "abc") -> Manifest:
    """The StatefulSet of a mesh whose members have all joined."""
    membership = Membership("token", tuple(Member(f"{ordinal}a", Admission.JOINED) for ordinal in range(members)))
    return etcd_stateful_set(mesh or a_mesh(), membership, SETTINGS, ETCD_IMAGE, trust)


def valid(manifest: Manifest) -> Manifest:
    """``manifest``, once it is known to fit the API of Kubernetes, with no field that it does not know."""
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    return manifest


def environment(container: dict[str, Any]) -> dict[str, Any]:
    """Name to value, or to the path of the downward API."""
    names = [each["name"] for each in container["env"]]
    assert len(set(names)) == len(names), "server-side apply refuses a variable that is there twice"
    return {
        each["name"]: each["value"] if "value" in each else each["valueFrom"]["fieldRef"]["fieldPath"]
        for each in container["env"]
    }


def breaches_of_restricted(pod: dict[str, Any]) -> Iterator[str]:
    """What the Pod Security Standards' profile "restricted" would refuse, and what we ask for beyond it."""
    context = pod.get("securityContext", {})
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "pod: seccompProfile"
    for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(forbidden):
            yield f"pod: {forbidden}"
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in pod.get("volumes", ()):
        if set(volume) - {"name"} - allowed:
            yield f"volume {volume['name']}"
    if pod.get("automountServiceAccountToken") is not False:
        yield "pod: automountServiceAccountToken"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        own = container.get("securityContext", {})
        expected = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "readOnlyRootFilesystem": True}
        yield from (f"{container['name']}: {key}" for key, value in expected.items() if own.get(key) is not value)
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{container['name']}: capabilities"
        if own.get("privileged") or own.get("runAsUser") == 0:
            yield f"{container['name']}: privileged"
