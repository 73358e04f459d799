"""Discovery: the nodes of a mesh and what they host."""

from isek.registry.broken import BrokenAgent, BrokenRecord
from isek.registry.opening import RegistryUrlError, open_registry
from isek.registry.record import AgentRecord, NodeRecord
from isek.registry.registration import Registration
from isek.registry.registry import Registry
from isek.registry.tls import TlsFiles

__all__ = [
    "AgentRecord",
    "BrokenAgent",
    "BrokenRecord",
    "NodeRecord",
    "Registration",
    "Registry",
    "RegistryUrlError",
    "TlsFiles",
    "open_registry",
]
