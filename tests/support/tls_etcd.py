"""Real etcd members that speak TLS, to be added and removed one by one, as plain processes."""

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import grpc
from isek_operator.cluster.etcd import EtcdAdmin, Tls
from isek_operator.pki import KeyPair, new_authority, new_certificate

from tests.support.control_plane_etcd import EtcdMember
from tests.support.waiting import until


class TlsEtcd:
    """An etcd that begins with one member. ``async with TlsEtcd() as etcd``."""

    def __init__(self, *, quota_bytes: int = 0) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="isek-tls-etcd-"))
        self._quota_bytes = quota_bytes
        self.authority = new_authority("test authority", datetime.now(UTC))
        self.members: dict[str, EtcdMember] = {}

    def tls(self, user: str) -> Tls:
        """A client's certificate."""
        pair = self._certificate(user)
        return Tls(pair.certificate.encode(), pair.key.encode(), self.authority.certificate.encode(), "localhost")

    def admin(self, user: str = "root") -> EtcdAdmin:
        """An administrator that knows all members there are now."""
        return EtcdAdmin({name: each.endpoint for name, each in self.members.items()}, self.tls(user))

    def channel(self, user: str) -> grpc.aio.Channel:
        """A client's connection to the first member."""
        tls, first = self.tls(user), next(iter(self.members.values()))
        credentials = grpc.ssl_channel_credentials(tls.authorities, tls.key, tls.certificate)
        options = (("grpc.ssl_target_name_override", tls.server_name),)
        return grpc.aio.secure_channel(first.endpoint, credentials, options=options)

    def prepare(self, name: str) -> EtcdMember:
        """A member that is known here and not running."""
        self.members[name] = EtcdMember(name, self._folder, tls=self._folder)
        return self.members[name]

    async def join(self, name: str) -> None:
        """Start a member that was added to the cluster."""
        await self._start(name, "existing")

    async def _start(self, name: str, state: str) -> None:
        initial = list(self.members.values())
        await self.members[name].start(initial, initial_cluster_state=state, quota_backend_bytes=self._quota_bytes)

    async def __aenter__(self) -> Self:
        server = self._certificate("server")
        (self._folder / "ca.crt").write_text(self.authority.certificate)
        (self._folder / "server.crt").write_text(server.certificate)
        (self._folder / "server.key").write_text(server.key)
        self.prepare("m0")
        await self._start("m0", "new")
        async with self.admin() as admin:
            await until(admin.members, what="etcd has a leader", retry_on=(Exception,))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(member.kill() for member in self.members.values() if member.started))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _certificate(self, name: str) -> KeyPair:
        names, addresses = ("localhost",), ("127.0.0.1",)
        return new_certificate(self.authority, name, datetime.now(UTC), dns_names=names, ip_addresses=addresses)
