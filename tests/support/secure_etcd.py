"""A real etcd member with the very configuration, and the certificates, that the operator gives to those of a mesh."""

import json
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
import grpc
from aetcd import rpc
from isek.api import IsekMesh
from isek.processes.ports import free_port
from isek.registry import TlsFiles
from isek_operator import pki
from isek_operator.decide.etcd.membership import Membership
from isek_operator.manifests.etcd_config import MEMBER_NAME, NODE_USER, ROOT_USER, etcd_config_map

from tests.support.binaries import binary
from tests.support.control_plane_process import ServerProcess, answered

SERVER, NODE, ROOT = "server", "node", "root"
NAMES = {SERVER: MEMBER_NAME, NODE: NODE_USER, ROOT: ROOT_USER}


class Certificates:
    """An authority, and a folder for each who shows a certificate, with what its Secret would hold."""

    def __init__(self, folder: Path, authority: pki.KeyPair | None = None) -> None:
        self.folder = folder
        self.authority = authority or pki.new_authority("isek test", datetime.now(UTC))
        for who in NAMES:
            self.renew(who)

    def renew(self, who: str, *, authority: pki.KeyPair | None = None, trusted: str = "") -> None:
        """Replace a certificate, in one step as a kubelet does."""
        issuer = authority or self.authority
        server = {"dns_names": ("localhost",), "ip_addresses": ("127.0.0.1",)} if who == SERVER else {}
        pair = pki.new_certificate(issuer, NAMES[who], datetime.now(UTC), **server)
        self.write(who, pair, trusted or self.authority.certificate)

    def write(self, who: str, pair: pki.KeyPair, trusted: str) -> None:
        home = self.folder / who
        home.mkdir(parents=True, exist_ok=True)
        data = Path(tempfile.mkdtemp(dir=home, prefix="data-"))
        for name, value in (("ca.crt", trusted), ("tls.crt", pair.certificate), ("tls.key", pair.key)):
            (data / name).write_text(value)
            if not (home / name).is_symlink():
                (home / name).symlink_to(Path("data") / name)
        link = home / "new"
        link.symlink_to(data.name)
        link.replace(home / "data")

    def files(self, who: str) -> TlsFiles:
        """Where what ``who`` shows lies."""
        return TlsFiles.in_folder(self.folder / who)


class SecureEtcd:
    """One member. ``async with SecureEtcd(mesh) as etcd:``; who may do what is asked for only after ``enable_auth``."""

    def __init__(self, mesh: IsekMesh, authority: pki.KeyPair | None = None, *, everywhere: bool = False) -> None:
        """``everywhere``: it listens where it does in a pod, else on the loopback address."""
        self._folder = Path(tempfile.mkdtemp(prefix="isek-etcd-"))
        self.certificates = Certificates(self._folder / "tls", authority)
        self._mesh, self._everywhere = mesh, everywhere
        self.port, self.peer_port, self.metrics_port = free_port(), free_port(), free_port()
        config = self._folder / "etcd.json"
        config.write_text(json.dumps(self._configuration()))
        command = [str(binary("etcd")), f"--config-file={config}"]
        self.process = ServerProcess(command, log=self._folder / "etcd.log")

    @property
    def endpoint(self) -> str:
        """``host:port`` of the client API."""
        return f"127.0.0.1:{self.port}"

    def _configuration(self) -> dict[str, Any]:
        """As rendered; only where things lie on this machine differs."""
        config_map = etcd_config_map(self._mesh, Membership.first("token"))
        found: dict[str, Any] = json.loads(config_map["data"][f"{self._mesh.name}-etcd-0.json"])
        ports = {"peer": self.peer_port, "client": self.port}
        for side, port in ports.items():
            url = f"https://127.0.0.1:{port}"
            advertised = "initial-advertise-peer-urls" if side == "peer" else "advertise-client-urls"
            found |= {f"listen-{side}-urls": self._listening(found[f"listen-{side}-urls"], port), advertised: url}
            security = found[f"{side}-transport-security"]
            for key in ("cert-file", "key-file", "trusted-ca-file"):
                security[key] = str(self.certificates.folder / SERVER / Path(security[key]).name)
        return found | {
            "data-dir": str(self._folder / "data"),
            "initial-cluster": f"{found['name']}=https://127.0.0.1:{self.peer_port}",
            "listen-metrics-urls": self._listening(found["listen-metrics-urls"], self.metrics_port),
            "log-level": "warn",
            "unsafe-no-fsync": True,
        }

    def _listening(self, url: str, port: int) -> str:
        scheme, host, _ = url.rsplit(":", 2)
        return f"{scheme}:{host if self._everywhere else '//127.0.0.1'}:{port}"

    async def healthy(self) -> bool:
        """Whether it reads through its quorum, as the readiness probe asks it."""
        return await answered(f"http://127.0.0.1:{self.metrics_port}/readyz") is not None

    @asynccontextmanager
    async def channel(self, files: TlsFiles | None, port: int | None = None) -> AsyncIterator[grpc.aio.Channel]:
        """A connection of somebody who shows the certificate in these files; None: over plain text."""
        target = f"127.0.0.1:{port or self.port}"
        if files is None:
            channel = grpc.aio.insecure_channel(target)
        else:
            authorities, certificate, key = files.read()
            channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(authorities, key, certificate))
        try:
            yield channel
        finally:
            await channel.close()

    async def put(self, files: TlsFiles | None, key: str) -> None:
        """Write as somebody. Raises grpc.aio.AioRpcError."""
        async with self.channel(files) as channel:
            await rpc.KVStub(channel).Put(rpc.PutRequest(key=key.encode(), value=b"x"), timeout=5)

    async def peer_version(self, who: str) -> int | None:
        """The HTTP status that somebody gets on the peer port; None: the connection is refused."""
        files = self.certificates.files(who)
        context = ssl.create_default_context(cafile=files.ca)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Go and gRPC do it
        assert files.certificate is not None
        context.load_cert_chain(files.certificate, files.key)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            try:
                async with session.get(f"https://127.0.0.1:{self.peer_port}/version") as answer:
                    return answer.status
            except aiohttp.ClientError:
                return None

    async def enable_auth(self, prefixes: Sequence[str]) -> None:
        """Ask from now on who somebody is; nodes may touch what is below the prefixes only."""
        async with self.channel(self.certificates.files(ROOT)) as channel:
            auth = rpc.AuthStub(channel)
            for name in (ROOT_USER, NODE_USER):
                await auth.RoleAdd(rpc.AuthRoleAddRequest(name=name))
                no_password = rpc.UserAddOptions(no_password=True)
                await auth.UserAdd(rpc.AuthUserAddRequest(name=name, options=no_password))
                await auth.UserGrantRole(rpc.AuthUserGrantRoleRequest(user=name, role=name))
            for prefix in prefixes:
                start = prefix.encode()
                end = start[:-1] + bytes([start[-1] + 1])
                permission = rpc.Permission(permType=rpc.Permission.READWRITE, key=start, range_end=end)
                await auth.RoleGrantPermission(rpc.AuthRoleGrantPermissionRequest(name=NODE_USER, perm=permission))
            await auth.AuthEnable(rpc.AuthEnableRequest())

    async def restart(self) -> None:
        """Stop it and start it again, with its data."""
        await self.process.stop()
        await self.process.start(self.healthy)

    async def __aenter__(self) -> Self:
        try:
            await self.process.start(self.healthy)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Kill it and remove its data."""
        await self.process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
