"""What the four kinds have in common: metadata, conditions, and how each presents itself to the API server."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from isek.api.fields import LongText, Namespace, ResourceName, ShortText
from isek.api.schema import Model

GROUP = "isek.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class OwnerReference(Model):
    """metav1.OwnerReference, as far as it is read."""

    model_config = ConfigDict(extra="ignore")

    uid: str
    kind: str
    name: str
    controller: bool = False


class Metadata(Model):
    """metav1.ObjectMeta, as far as it is read; the API server validates the rest."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True)

    name: ResourceName
    namespace: Namespace = "default"
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(Model):
    """One observation about the object (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316)]
    """What is observed, in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that this was observed for."""
    last_transition_time: datetime
    """When the status last changed."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in one CamelCase word."""
    message: LongText
    """Why, for people: names the object and what to do."""


class Status(Model):
    """What every kind reports. Fields of a newer operator are passed over."""

    model_config = ConfigDict(extra="ignore")

    observed_generation: Annotated[int, Field(ge=-1)] = -1
    """The metadata.generation that the operator last acted on; -1: it has not looked at it yet."""
    pods: ShortText | None = None
    """Pods that answer, of those that are wanted, such as 2/3."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    """Ready, Reconciling, Stalled, ResolvedRefs; on a mesh EtcdAvailable as well."""


class WorkloadStatus(Status):
    """What a kind that runs in pods reports."""

    replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that exist."""
    ready_replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that answer."""
    selector: ShortText | None = None
    """Label selector of the pods, for the scale subresource."""
    mesh: ShortText | None = None
    """The mesh in use, as namespace/name."""


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``."""

    name: str
    type: str
    json_path: str
    priority: int = 0


MESH_COLUMN = Column("Mesh", "string", ".status.mesh")


def columns(*own: Column) -> tuple[Column, ...]:
    """The columns of a kind: how it stands, what is its own, why it stands so (``-o wide``), and its age."""
    return (
        Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Pods", "string", ".status.pods"),
        *own,
        Column("Message", "string", '.status.conditions[?(@.type=="Ready")].message', priority=1),
        Column("Age", "date", ".metadata.creationTimestamp"),
    )


class Resource(Model):
    """A custom resource."""

    model_config = ConfigDict(extra="ignore")

    plural: ClassVar[str]
    short_name: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    scalable: ClassVar[bool] = False

    metadata: Metadata

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return self.metadata.namespace

    @property
    def kind(self) -> str:
        """The kind, as in YAML."""
        return type(self).__name__

    def to_document(self) -> dict[str, Any]:
        """What a user would write to get this object: no status, no metadata but name and namespace."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self.to_manifest()["spec"],
        }
