"""Which registry a node's settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from isek.registry.registry import Registry
from isek.registry.tls import TlsFiles

if TYPE_CHECKING:
    from isek.node.settings import NodeSettings


class RegistryUrlError(ValueError):
    """An address that names no registry."""


def open_registry(settings: NodeSettings) -> Registry:
    """The registry at ``settings.registry_url``, not started yet.

    Raises:
        RegistryUrlError: the address is of no known form.
    """
    url, mesh_id, ttl_seconds = settings.registry_url, settings.mesh_id, settings.registry_ttl_seconds
    scheme, _, rest = url.partition(":")
    # each is imported only when it is used: gRPC alone takes a third of a second
    if url == "memory:":
        from isek.registry.default import DefaultRegistry  # noqa: PLC0415

        return DefaultRegistry(mesh_id=mesh_id, ttl_seconds=ttl_seconds)
    if scheme in {"etcd", "etcds"} and (endpoints := _endpoints(rest)):
        from isek.registry.etcd import EtcdRegistry  # noqa: PLC0415

        tls = TlsFiles.in_folder(settings.registry_tls_dir) if scheme == "etcds" else None
        return EtcdRegistry(endpoints, mesh_id=mesh_id, ttl_seconds=ttl_seconds, tls=tls)
    if scheme == "http" and _endpoints(rest.rstrip("/")):
        from isek.registry.center_client import CenterRegistry  # noqa: PLC0415

        return CenterRegistry(url, mesh_id=mesh_id, ttl_seconds=ttl_seconds)
    raise RegistryUrlError(
        f"registry URL {url!r} cannot be used; give etcds://host:2379[,host2:2379], etcd://host:2379 (plain text), "
        "http://host:port or memory:"
    )


def _endpoints(rest: str) -> list[str]:
    """The ``host:port`` of ``//host:port[,host:port]``; none when one of them is wrong."""
    endpoints = rest.removeprefix("//").split(",")
    return endpoints if rest.startswith("//") and all(_is_endpoint(endpoint) for endpoint in endpoints) else []


def _is_endpoint(endpoint: str) -> bool:
    try:
        parts = urlsplit(f"//{endpoint}")
        return bool(parts.hostname and parts.port) and parts.netloc == endpoint and "@" not in endpoint
    except ValueError:
        return False
