"""What the operator needs to know; each setting is the environment variable ``ISEK_OPERATOR_<NAME>``."""

from contextlib import suppress
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal

from isek.api.mesh import Etcd
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "ISEK_OPERATOR_"

Port = Annotated[int, Field(ge=1, le=65535)]


def _image(name: str) -> str:
    return f"isek/{name}:{version('isek-operator')}"


def name_servers(resolv_conf: Path) -> tuple[IPv4Address | IPv6Address, ...]:
    """The addresses that a machine or a pod asks for names (resolv.conf(5)), without its own."""
    found = []
    for line in resolv_conf.read_text().splitlines() if resolv_conf.exists() else ():
        with suppress(ValueError):
            keyword, value, *_ = line.split()
            if keyword == "nameserver" and not (address := ip_address(value.partition("%")[0])).is_loopback:
                found.append(address)
    return tuple(found)


class OperatorSettings(BaseSettings):
    """Settings of one operator process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, use_attribute_docstrings=True, frozen=True)

    node_image: str = Field(default_factory=lambda: _image("node"))
    """Image of the node container."""
    p2p_image: str = Field(default_factory=lambda: _image("p2p"))
    """Image of the libp2p sidecar."""
    operator_image: str = Field(default_factory=lambda: _image("operator"))
    """Image of the operator itself, which guards the start of each etcd member."""
    etcd_image: str = Etcd().image
    """Image of the etcd of the meshes that the operator makes by default."""
    etcd_lost_seconds: Annotated[int, Field(ge=1)] = 300
    """How long an etcd may be without a quorum before an empty one takes its place."""
    network_key_spread_seconds: Annotated[int, Field(ge=1)] = 180
    """Until a changed Secret is surely in all pods that mount it, those that are just starting included."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces to look after, separated by commas; empty: all."""
    cluster_name: Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$")] = ""
    """What this cluster is called in meshes that several share; empty: by the first digits of the uid of its namespace
    kube-system, which no other has."""
    dns_servers: Annotated[tuple[IPv4Address | IPv6Address, ...], NoDecode] = Field(
        default_factory=lambda: name_servers(Path("/etc/resolv.conf"))
    )
    """Addresses where pods ask for names, separated by commas; default: where the operator asks, which is a pod too."""
    lease_namespace: str = ""
    """Namespace of the Lease that only the active one of several operators holds; empty: this is the only operator."""
    lease_name: Annotated[str, Field(min_length=1)] = "isek-operator"
    """Name of that Lease."""
    max_concurrent_upgrades: Annotated[int, Field(ge=1)] = 5
    """Workloads whose pods are replaced at a time because the operator, and with it their image, is another one."""
    log_format: Literal["Text", "JSON"] = "Text"
    """Text for people, JSON for machines."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is worth a line."""
    metrics_port: Port = 9090
    """Port of ``/metrics``."""
    health_port: Port = 8080
    """Port of ``/healthz``."""
    workers: Annotated[int, Field(ge=1, le=1000)] = 20
    """Resources that are worked on at a time."""

    @field_validator("watch_namespaces", "dns_servers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
