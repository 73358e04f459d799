"""The ConfigMap with the configuration of each etcd member."""

import json
from pathlib import PurePosixPath
from typing import Any

from isek.api import IsekMesh

from isek_operator.decide.etcd.membership import MEMBERSHIP, Membership
from isek_operator.manifests.etcd import (
    CLIENT_PORT,
    METRICS_PORT,
    PEER_PORT,
    etcd_client_url,
    etcd_name,
    etcd_peer_url,
    etcd_pod_name,
)
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.secret import CA_CERTIFICATE, CERTIFICATE, PRIVATE_KEY

DATA = PurePosixPath("/var/lib/etcd")
TLS = PurePosixPath("/etc/etcd-tls")
QUOTA_BYTES = 256 * 1024 * 1024
"""Room for some ten thousand nodes of 4 KiB with their history, and less than the memory limit: etcd maps it."""

MEMBER_NAME = "isek-etcd-member"
"""The common name that members show: on the peer port, no other is let in."""
NODE_USER = "isek-node"
"""The common name that nodes show: an etcd user, who may read and write below the mesh's prefix."""
ROOT_USER = "root"
"""The common name that the operator shows: etcd's administrator."""


def etcd_config_map(mesh: IsekMesh, membership: Membership) -> Manifest:
    """For each member ``<pod>.json``, which etcd reads, and ``<pod>.admission``, which the guard reads."""
    data: dict[str, str] = {}
    for ordinal, member in enumerate(membership.members):
        pod = etcd_pod_name(mesh, ordinal)
        data[f"{pod}.json"] = json.dumps(_configuration(mesh, membership, ordinal), indent=2, sort_keys=True)
        data[f"{pod}.admission"] = member.admission.value
    metadata = child_meta(mesh, etcd_name(mesh))
    metadata["annotations"] = {MEMBERSHIP: membership.to_annotation()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _configuration(mesh: IsekMesh, membership: Membership, ordinal: int) -> dict[str, Any]:
    """etcd's own configuration file (https://etcd.io/docs/v3.6/op-guide/configuration/), JSON being YAML.

    The ``initial-`` ones are for a member without data; on one that has some etcd passes over them.
    """
    member, name = membership.members[ordinal], etcd_pod_name(mesh, ordinal)
    founds = not member.id  # it makes the cluster, all others are added to it
    known = (ordinal,) if founds else membership.listed
    return {
        "name": name,
        # what another cluster or another member has left on the volume is never taken for its own
        "data-dir": str(DATA / membership.token / (member.id or "first")),
        "initial-cluster": ",".join(f"{etcd_pod_name(mesh, n)}={etcd_peer_url(mesh, n)}" for n in known),
        "initial-cluster-state": "new" if founds else "existing",
        "initial-cluster-token": membership.token,
        "initial-advertise-peer-urls": etcd_peer_url(mesh, ordinal),
        "advertise-client-urls": etcd_client_url(mesh, ordinal),
        # all addresses, also of IPv6: so Go takes it, while [::] fails where the kernel has no IPv6
        "listen-peer-urls": f"https://0.0.0.0:{PEER_PORT}",
        "listen-client-urls": f"https://0.0.0.0:{CLIENT_PORT}",
        "listen-metrics-urls": f"http://0.0.0.0:{METRICS_PORT}",
        "client-transport-security": _transport_security(),
        # members find each other under names of the cluster's DNS, which an address alone does not tell
        "peer-transport-security": _transport_security()
        | {"allowed-cn": [MEMBER_NAME], "skip-client-san-verification": True},
        "tls-min-version": "TLS1.3",
        "enable-grpc-gateway": False,  # it would ask in the member's name
        # readers that fall behind list anew, so little history is kept
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "5m",
        "quota-backend-bytes": QUOTA_BYTES,
    }


def _transport_security() -> dict[str, Any]:
    return {
        "cert-file": str(TLS / CERTIFICATE),
        "key-file": str(TLS / PRIVATE_KEY),
        "trusted-ca-file": str(TLS / CA_CERTIFICATE),
        "client-cert-auth": True,
    }
