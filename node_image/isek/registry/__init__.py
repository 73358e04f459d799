"""Discovery: the nodes of a mesh and what they host."""

from isek.registry.opening import RegistryUrlError, open_registry
from isek.registry.record import AgentRecord, NodeRecord
from isek.registry.registration import Registration
from isek.registry.registry import Registry

__all__ = ["AgentRecord", "NodeRecord", "Registration", "Registry", "RegistryUrlError", "open_registry"]
