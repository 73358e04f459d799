"""The registry of a mesh in etcd."""

from collections.abc import Sequence

from isek.registry.etcd_client import EtcdClient
from isek.registry.registry import Registry
from isek.registry.tls import TlsFiles


class EtcdRegistry(Registry):
    """Discovery through etcd.

    Args:
        endpoints: ``host:port`` of one or more members.
        mesh_id: the mesh's name in etcd.
        ttl_seconds: after so long the registry forgets a node that was killed.
        tls: the files of a TLS connection, taken up anew when they change; None: plain text.

    Raises:
        TypeError: the endpoints are no list.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        mesh_id: str = "default.default",
        ttl_seconds: int = 15,
        tls: TlsFiles | None = None,
    ) -> None:
        if isinstance(endpoints, str):
            raise TypeError(f"endpoints must be a list such as [{endpoints!r}]")
        super().__init__(EtcdClient(endpoints, tls), mesh_id=mesh_id, ttl_seconds=ttl_seconds)
