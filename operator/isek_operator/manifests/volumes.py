"""The volumes of a workload's pods, and where its containers see them."""

from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from isek.node.settings import NodeSettings

from isek_operator.decide.access import tokens_secret
from isek_operator.decide.references import code_maps, mounted_secret_keys
from isek_operator.decide.workload import Workload
from isek_operator.manifests.config_map import HOSTED_FILE, RELAYS_FILE
from isek_operator.manifests.mesh_copy import mounted_secret
from isek_operator.manifests.secret import (
    CERTIFICATE,
    CERTIFICATE_KEYS,
    PRIVATE_KEY,
    PRIVATE_NETWORK_KEY,
    etcd_client_secret_name,
    private_network_data_key,
    private_network_secret_name,
)

P2P_STATE = PurePosixPath("/var/run/isek/p2p")
P2P_KEY = PurePosixPath("/etc/isek/p2p")
P2P_RELAYS = PurePosixPath("/etc/isek/relays")

_PATHS = {
    name: NodeSettings.model_fields[name].default
    for name in ("hosted_file", "secrets_dir", "access_dir", "code_dir", "memory_dir", "registry_tls_dir", "tls_dir")
}
_GROUP_MAY_READ = 0o440


def pod_volumes(workload: Workload) -> list[dict[str, Any]]:
    """All volumes of the pod."""
    volumes: list[dict[str, Any]] = [
        {
            "name": "hosted",
            "configMap": {"name": workload.name, "items": [{"key": HOSTED_FILE, "path": HOSTED_FILE}]},
        },
        {"name": "tmp", "emptyDir": {"sizeLimit": "128Mi"}},
        {
            "name": "etcd-client",
            "secret": {
                "secretName": mounted_secret(workload, etcd_client_secret_name(workload.mesh)),
                "defaultMode": _GROUP_MAY_READ,
                "items": [{"key": key, "path": key} for key in CERTIFICATE_KEYS],
            },
        },
    ]
    if secrets := _secret_sources(workload):
        volumes.append({"name": "secrets", "projected": {"defaultMode": _GROUP_MAY_READ, "sources": secrets}})
    if certificate := workload.template.tls_secret:
        items = [{"key": key, "path": key} for key in (CERTIFICATE, PRIVATE_KEY)]
        source = {"secretName": certificate.name, "defaultMode": _GROUP_MAY_READ, "items": items}
        volumes.append({"name": "tls", "secret": source})
    for volume, name in _tokens(workload):
        # the whole of it, so that a token that is added later is there without a restart; without it others run still
        volumes.append(
            {"name": volume, "secret": {"secretName": name, "defaultMode": _GROUP_MAY_READ, "optional": True}}
        )
    for volume, name in _code(workload):
        # on a node that others are on, one whose code is gone harms no other
        volumes.append({"name": volume, "configMap": {"name": name, **({"optional": True} if workload.shared else {})}})
    if claim := workload.memory_claim:
        volumes.append({"name": "memory", "persistentVolumeClaim": {"claimName": claim}})
    if workload.mesh.spec.p2p.enabled:
        # of the own ConfigMap, which is there in every namespace that the mesh lets in
        relays = {"name": workload.name, "items": [{"key": RELAYS_FILE, "path": RELAYS_FILE}]}
        volumes.append({"name": "relays", "configMap": relays})
        volumes.append({"name": "p2p-state", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
        volumes.append(
            {
                "name": "p2p-key",
                "secret": {
                    "secretName": mounted_secret(workload, private_network_secret_name(workload.mesh)),
                    "defaultMode": _GROUP_MAY_READ,
                    "items": [{"key": private_network_data_key(workload.mesh), "path": PRIVATE_NETWORK_KEY}],
                },
            }
        )
    return volumes


def node_mounts(workload: Workload) -> list[dict[str, Any]]:
    """What the node container sees: not the key of the private network."""
    mounts: list[dict[str, Any]] = [
        {"name": "hosted", "mountPath": str(_PATHS["hosted_file"].parent), "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  (a volume of the pod)
        {"name": "etcd-client", "mountPath": str(_PATHS["registry_tls_dir"]), "readOnly": True},
    ]
    if _secret_sources(workload):
        mounts.append({"name": "secrets", "mountPath": str(_PATHS["secrets_dir"]), "readOnly": True})
    if workload.template.tls_secret:
        mounts.append({"name": "tls", "mountPath": str(_PATHS["tls_dir"]), "readOnly": True})
    mounts += [
        {"name": volume, "mountPath": str(_PATHS["access_dir"] / name), "readOnly": True}
        for volume, name in _tokens(workload)
    ]
    mounts += [
        {"name": volume, "mountPath": str(_PATHS["code_dir"] / name), "readOnly": True}
        for volume, name in _code(workload)
    ]
    if workload.memory_claim:
        mounts.append({"name": "memory", "mountPath": str(_PATHS["memory_dir"])})
    if workload.mesh.spec.p2p.enabled:
        mounts.append({"name": "p2p-state", "mountPath": str(P2P_STATE), "readOnly": True})
    return mounts


def p2p_mounts() -> list[dict[str, Any]]:
    """What the sidecar sees: no Secret of a user."""
    return [
        {"name": "p2p-state", "mountPath": str(P2P_STATE)},
        {"name": "p2p-key", "mountPath": str(P2P_KEY), "readOnly": True},
        {"name": "relays", "mountPath": str(P2P_RELAYS), "readOnly": True},
    ]


def _tokens(workload: Workload) -> list[tuple[str, str]]:
    """The volumes with the tokens of callers from outside, and the Secret of each."""
    names = {tokens_secret(resource, workload.mesh) for resource in workload.hosted} - {None}
    return [(f"tokens-{number}", str(name)) for number, name in enumerate(sorted(map(str, names)))]


def _code(workload: Workload) -> list[tuple[str, str]]:
    """The volumes with code, and the ConfigMap of each."""
    return [(f"code-{number}", name) for number, (_, name) in enumerate(sorted(code_maps(workload.hosted)))]


def _secret_sources(workload: Workload) -> list[dict[str, Any]]:
    """The keys that are referred to, and no others, as ``<Secret>/<key>``."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for resource in workload.hosted:
        for reference in mounted_secret_keys(resource):
            keys[reference.name].add(reference.key)
    return [
        {
            "secret": {
                "name": name,
                "items": [{"key": key, "path": f"{name}/{key}"} for key in sorted(keys[name])],
                # a pod with a missing Secret does not start, which would harm all that the node hosts
                **({"optional": True} if workload.shared else {}),
            }
        }
        for name in sorted(keys)
    ]
