"""The custom resources of ``isek.io/v1alpha1`` as pydantic models; the CRDs are generated from them."""

from isek.api.agent import IsekAgent, IsekAgentSpec
from isek.api.mesh import IsekMesh, IsekMeshSpec
from isek.api.node import IsekNode, IsekNodeSpec
from isek.api.resource import API_VERSION, GROUP, VERSION, Condition, Metadata, Resource
from isek.api.team import IsekTeam, IsekTeamSpec

KINDS: dict[str, type[Resource]] = {kind.__name__: kind for kind in (IsekMesh, IsekNode, IsekAgent, IsekTeam)}
"""Every kind by its name, in the order in which one refers to another."""

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "Condition",
    "IsekAgent",
    "IsekAgentSpec",
    "IsekMesh",
    "IsekMeshSpec",
    "IsekNode",
    "IsekNodeSpec",
    "IsekTeam",
    "IsekTeamSpec",
    "Metadata",
    "Resource",
]
