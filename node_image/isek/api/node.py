"""IsekNode: pods that host agents and teams."""

from typing import Annotated, ClassVar

from pydantic import Field

from isek.api.resource import MESH_COLUMN, Column, Resource, WorkloadStatus, columns
from isek.api.schema import Model
from isek.api.workload import PodTemplate, Reference, Replicas


class IsekNodeSpec(Model):
    """What the node is to be."""

    replicas: Replicas = 1
    """Pods; each hosts all of the node's agents and teams."""
    max_agents: Annotated[int, Field(ge=1, le=30)] = 20
    """Agents and teams that it takes; past it the newest is refused. 30 of them fit into the node's record."""
    mesh_ref: Reference | None = None
    """The mesh it joins; default: the one called default, made where it is missing. One of another namespace has to
    allow this one in its allowedNamespaces."""
    template: PodTemplate | None = None
    """What the pods look like."""


class IsekNodeStatus(WorkloadStatus):
    """What the node is."""

    agents: Annotated[int, Field(ge=0)] = 0
    """Agents and teams that it hosts."""


class IsekNode(Resource):
    """A host for agents and teams, scaled by its replicas."""

    plural: ClassVar[str] = "iseknodes"
    short_name: ClassVar[str] = "inode"
    scalable: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = columns(Column("Agents", "integer", ".status.agents"), MESH_COLUMN)

    spec: IsekNodeSpec = IsekNodeSpec()
    """What the node is to be."""
    status: IsekNodeStatus = IsekNodeStatus()
    """What the node is."""
