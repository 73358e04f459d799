"""What a node needs to know. The operator and ``isek up`` render it, the node reads it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from isek.node.listening import EVERYWHERE

PREFIX = "ISEK_"


class NodeSettings(BaseSettings):
    """Settings of one node process, each from the environment variable ``ISEK_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, use_attribute_docstrings=True, frozen=True)

    node_id: str = "node.default"
    """``<pod>.<namespace>`` on Kubernetes; unique in its mesh."""
    namespace: str = "default"
    """Where its agents live."""
    cluster: str = ""
    """The Kubernetes cluster; each of those that share a mesh has another name."""
    region: str = ""
    """Where the cluster, or this part of it, stands (topology.kubernetes.io/region)."""
    zone: str = ""
    """The failure domain (topology.kubernetes.io/zone)."""
    mesh_id: str = "default.default"
    """The mesh's name in its registry."""
    host: str = EVERYWHERE
    """Address to listen on; empty: all, over IPv4 and IPv6."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0: any free one."""
    grpc_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Port for A2A over gRPC, with ``tls_port`` over TLS; 0: any free one; None: none."""
    tls_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Port to listen on for HTTPS, beside ``port``; 0: any free one. Default: there is none."""
    tls_dir: Path = Path("/var/run/isek/tls")
    """For TLS: ``tls.crt`` and ``tls.key``. They are read again when they change."""
    advertise_host: str = "127.0.0.1"
    """Address at which peers reach the node over HTTP."""
    outside: Literal["Anyone", "Nobody"] = "Anyone"
    """Who from outside of the mesh may see and publish what is on it, where the node hosts nobody who says so."""
    config_hash: str = ""
    """Which configuration the pod was made from, as the operator has it; stands in reports."""
    hosted_file: Path = Path("/etc/isek/hosted.yaml")
    """The v1alpha1 agents and teams that the node hosts."""
    secrets_dir: Path = Path("/var/run/secrets/isek.io")
    """Referenced Secrets: one folder each, one file a key."""
    access_dir: Path = Path("/var/run/secrets/isek.io-access")
    """Secrets with the tokens of callers from outside: one folder each, one file for each caller."""
    code_dir: Path = Path("/var/run/isek/code")
    """The ConfigMaps with the code of agents: one folder each."""
    memory_dir: Path = Path("/var/lib/isek/memory")
    """Where agents with a memory in SQLite keep their files."""
    registry_url: str = "memory:"
    """``etcds://host:port[,host:port]`` (TLS), ``etcd://…`` (plain text), ``http://host:port`` (a center registry), or
    ``memory:``."""
    registry_tls_dir: Path = Path("/var/run/isek/etcd")
    """For ``etcds``: ``ca.crt``, and the node's ``tls.crt`` and ``tls.key``. They are read again when they change."""
    registry_ttl_seconds: Annotated[int, Field(ge=5, le=600)] = 15
    """Seconds after which the registry forgets the node when it stops renewing its lease."""
    p2p_enabled: bool = False
    """Whether a libp2p sidecar runs beside the node."""
    p2p_fallback: Literal["None", "HTTP"] = "None"
    """Whether a call that the sidecar could not deliver goes to a node of the same cluster over HTTP, in plain text."""
    p2p_api_url: str = "http://127.0.0.1:9001"
    """The sidecar's local API."""
    p2p_token_file: Path = Path("/var/run/isek/p2p/token")
    """The token that the node and its sidecar share; the sidecar makes it."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """Largest request that is accepted, and largest answer of another node that is read."""
    drain_seconds: Annotated[int, Field(ge=0)] = 330
    """How long running tasks may take to end once the node is told to stop."""
    linger_seconds: Annotated[int, Field(ge=0)] = 0
    """The first of these seconds: callers are still served, and each answer closes its connection."""
    log_format: Literal["Text", "JSON"] = "Text"
    """Text for people, JSON for machines."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is worth a line."""

    def to_environment(self) -> dict[str, str]:
        """The variables that make an equal object; what has its default value is left out."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        return {
            PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in sorted(values.items())
        }
