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

from tests.support.binaries import binary
from tests.support.control_plane_process import ServerProcess, free_port
from tests.support.waiting import until


class TlsMember:
    """A member of a ``TlsEtcd``."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self.endpoint = f"127.0.0.1:{free_port()}"
        self.peer_url = f"https://127.0.0.1:{free_port()}"
        self.process: ServerProcess

    async def start(self, initial: "list[TlsMember]", *, state: str, quota_bytes: int) -> None:
        tls = {
            "cert-file": self._folder / "server.crt",
            "key-file": self._folder / "server.key",
            "trusted-ca-file": self._folder / "ca.crt",
        }
        flags = {
            "name": self.name,
            "data-dir": self._folder / self.name,
            "listen-client-urls": f"https://{self.endpoint}",
            "advertise-client-urls": f"https://{self.endpoint}",
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{each.name}={each.peer_url}" for each in initial),
            "initial-cluster-state": state,
            "quota-backend-bytes": quota_bytes,
            "client-cert-auth": "true",
            "peer-client-cert-auth": "true",
            "log-level": "error",
            **tls,
            **{f"peer-{flag}": value for flag, value in tls.items()},
        }
        command = [str(binary("etcd")), "--unsafe-no-fsync", *(f"--{flag}={value}" for flag, value in flags.items())]
        self.process = ServerProcess(command, log=self._folder / f"{self.name}.log")
        await self.process.start(self._listens)

    async def _listens(self) -> bool:
        host, _, port = self.endpoint.partition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True


class TlsEtcd:
    """An etcd that begins with one member. ``async with TlsEtcd() as etcd``."""

    def __init__(self, *, quota_bytes: int = 0) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="isek-tls-etcd-"))
        self._quota_bytes = quota_bytes
        self.authority = new_authority("test authority", datetime.now(UTC))
        self.members: dict[str, TlsMember] = {}

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

    def prepare(self, name: str) -> TlsMember:
        """A member that is known here and not running."""
        self.members[name] = TlsMember(name, self._folder)
        return self.members[name]

    async def join(self, name: str) -> None:
        """Start a member that was added to the cluster."""
        await self.members[name].start(list(self.members.values()), state="existing", quota_bytes=self._quota_bytes)

    async def __aenter__(self) -> Self:
        server = self._certificate("server")
        (self._folder / "ca.crt").write_text(self.authority.certificate)
        (self._folder / "server.crt").write_text(server.certificate)
        (self._folder / "server.key").write_text(server.key)
        first = self.prepare("m0")
        await first.start([first], state="new", quota_bytes=self._quota_bytes)
        async with self.admin() as admin:
            await until(admin.members, what="etcd has a leader", retry_on=(Exception,))
        return self

    async def __aexit__(self, *_: object) -> None:
        started = [each.process for each in self.members.values() if hasattr(each, "process")]
        await asyncio.gather(*(process.kill() for process in started))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _certificate(self, name: str) -> KeyPair:
        names, addresses = ("localhost",), ("127.0.0.1",)
        return new_certificate(self.authority, name, datetime.now(UTC), dns_names=names, ip_addresses=addresses)
