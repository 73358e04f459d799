"""The Kubernetes kinds that the operator watches and writes, and where the API server serves them."""

from collections.abc import Sequence
from dataclasses import dataclass

from isek.api import API_VERSION, KINDS

from isek_operator.manifests.meta import MANAGER
from isek_operator.manifests.secret import WATCH_LABEL

MESH_LABEL = "isek.io/mesh"
AGENT_LABEL = "isek.io/agent"


@dataclass(frozen=True)
class ApiKind:
    """A kind, namespaced unless it is said to be not."""

    api_version: str
    kind: str
    plural: str
    selector: str = ""
    """Label selector of the objects that are watched; empty: all."""
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        group, separator, _ = self.api_version.rpartition("/")
        return group if separator else ""

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The path below the server's address; no namespace: of all namespaces."""
        root = "/apis" if self.group else "/api"
        scope = f"namespaces/{namespace}" if namespace else ""
        return "/".join(part for part in (root, self.api_version, scope, self.plural, name, subresource) if part)


CUSTOM_KINDS = tuple(ApiKind(API_VERSION, kind, model.plural) for kind, model in KINDS.items())

OURS = f"app.kubernetes.io/managed-by={MANAGER}"
CHILD_KINDS = (
    ApiKind("v1", "ServiceAccount", "serviceaccounts", OURS),
    ApiKind("v1", "ConfigMap", "configmaps", OURS),
    ApiKind("v1", "Service", "services", OURS),
    ApiKind("apps/v1", "Deployment", "deployments", OURS),
    ApiKind("apps/v1", "StatefulSet", "statefulsets", OURS),
    ApiKind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", OURS),
    ApiKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", OURS),
    ApiKind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", OURS),
)

SECRET = ApiKind("v1", "Secret", "secrets", WATCH_LABEL)
POD = ApiKind("v1", "Pod", "pods", MESH_LABEL)
"""Those of etcds."""

NAMESPACE = ApiKind("v1", "Namespace", "namespaces", namespaced=False)
"""Seen by their metadata only, for meshes that select namespaces by their labels."""

WATCHED_KINDS = (*CUSTOM_KINDS, *CHILD_KINDS, SECRET, POD, NAMESPACE)


def watched_kinds(namespaces: Sequence[str]) -> tuple[ApiKind, ...]:
    """What an operator watches that works in these namespaces; none: in all. Its rights end at its namespaces."""
    return tuple(kind for kind in WATCHED_KINDS if kind.namespaced or not namespaces)


BY_NAME = {kind.kind: kind for kind in WATCHED_KINDS}
BY_PLURAL = {kind.plural: kind for kind in WATCHED_KINDS}
EVENT = ApiKind("events.k8s.io/v1", "Event", "events")
LEASE = ApiKind("coordination.k8s.io/v1", "Lease", "leases")
