"""A real Kubernetes control plane for integration tests: etcd, kube-apiserver, kube-controller-manager."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from isek.processes.ports import free_port

from tests.support.binaries import binary
from tests.support.control_plane_etcd import EtcdMember, EtcdServer
from tests.support.control_plane_process import ServerProcess, answered
from tests.support.control_plane_proxy import TcpProxy
from tests.support.kube import KubeClient, KubeError, Object, kube_client
from tests.support.waiting import until

__all__ = ["ControlPlane", "EtcdMember", "EtcdServer", "KubeClient", "KubeError", "Object", "User", "until"]

# no workload controllers: no pod runs here, and a test that plays them (``KubeClient.mark_ready``) is not overruled
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
    "serviceaccount-controller",
)
WORKLOAD_CONTROLLERS = ("statefulset-controller",)


class User(NamedTuple):
    """Somebody who may use the API server."""

    token: str
    kubeconfig: Path


class ControlPlane:
    """A control plane of its own on free ports, ready in about 4 s; RBAC decides, as in a real cluster.

    What is under test uses ``url``/``ca``/``admin.token`` or a kubeconfig: those lead through a proxy that
    ``unreachable`` cuts. Tests use ``kube``, which goes past the proxy.
    """

    def __init__(
        self,
        *,
        definitions: Sequence[Object] = (),
        workloads: bool = False,
        proxied: bool = True,
        audit_policy: Object | None = None,
    ) -> None:
        """Take CustomResourceDefinitions to apply at start.

        ``workloads``: StatefulSets get pods, which a ``tests.support.kubelet.Kubelet`` runs.
        ``proxied=False`` leaves the proxy out, which costs processor time. ``audit_policy`` (audit.k8s.io/v1) has the
        API server write ``audit_log``.
        """
        self.etcd = EtcdServer()
        self.kube: KubeClient
        self.admin: User
        self._definitions, self._proxied, self._audit_policy = definitions, proxied, audit_policy
        self._controllers = CONTROLLERS + (WORKLOAD_CONTROLLERS if workloads else ())
        self._folder = Path(tempfile.mkdtemp(prefix="isek-control-plane-"))
        self._port = free_port()
        self._proxy = TcpProxy(self._port)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._proxy.port if self._proxied else self._port}"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line for each request that the audit policy selects."""
        return self._folder / "audit.log"

    @property
    def direct_url(self) -> str:
        """The API server itself, past the proxy."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca(self) -> Path:
        """The certificate to trust (the API server's own, self-signed)."""
        return self._folder / "apiserver.crt"

    async def start(self) -> None:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._stack.aclose()
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """Cut everybody but ``kube`` off: connections end, new ones are refused."""
        await self._proxy.cut()
        try:
            yield
        finally:
            await self._proxy.listen()

    async def restricted_user(self, name: str, rules: Sequence[Object]) -> User:
        """Make a user (a service account of namespace ``default``) with the rules of a ClusterRole and no more."""
        meta = {"name": name, "namespace": "default"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        rbac = "rbac.authorization.k8s.io/v1"
        await self.kube.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": reference,
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        )
        return await self.service_account(name)

    async def service_account(self, name: str, *, namespace: str = "default") -> User:
        """Return a service account that is there already as a user, with what its bindings allow."""
        return self._user(name, await self.kube.in_namespace(namespace).token(name))

    def _user(self, name: str, token: str) -> User:
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "isek-integration",
            "clusters": [{"name": "isek-integration", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "isek-integration", "context": {"cluster": "isek-integration", "user": name}}],
        }
        path = self._folder / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return User(token, path)

    async def _start(self) -> None:
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        await self._stack.enter_async_context(self.etcd)
        token = secrets.token_hex(16)
        await self._start_api_server(token)
        self.kube = await self._stack.enter_async_context(kube_client(self.direct_url, ca=self.ca, token=token))
        await self._stack.enter_async_context(self._proxy)
        self.admin = self._user("admin", token)
        # before the controller manager: garbage collection looks for new kinds only every 30 s
        await asyncio.gather(*(self._define(definition) for definition in self._definitions))
        await self._start_controllers()

    async def _define(self, definition: Object) -> None:
        await self.kube.apply(definition)
        await self.kube.until_condition("CustomResourceDefinition", definition["metadata"]["name"], "Established")

    async def _start_api_server(self, token: str) -> None:
        tokens, key = self._folder / "tokens.csv", self._folder / "service-accounts.key"
        tokens.write_text(f"{token},admin,admin,system:masters\n")
        key.write_bytes(_private_key())
        flags: dict[str, Any] = {
            "etcd-servers": f"http://{self.etcd.members[0].endpoint}",
            "bind-address": "127.0.0.1",
            "secure-port": self._port,
            "cert-dir": self._folder,
            "token-auth-file": tokens,
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-cluster-ip-range": "10.0.0.0/16",
        }
        if self._audit_policy is not None:
            policy = self._folder / "audit-policy.yaml"
            policy.write_text(yaml.safe_dump(self._audit_policy))
            flags |= {"audit-policy-file": policy, "audit-log-path": self.audit_log}
        await self._run("kube-apiserver", flags, f"https://127.0.0.1:{self._port}/readyz", token)

    async def _start_controllers(self) -> None:
        port = free_port()
        flags: dict[str, Any] = {
            "kubeconfig": self.admin.kubeconfig,
            "controllers": ",".join(self._controllers),
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "cert-dir": self._folder / "controllers",
            "leader-elect": "false",
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
        }
        await self._run("kube-controller-manager", flags, f"https://127.0.0.1:{port}/healthz")

    async def _run(self, name: str, flags: dict[str, Any], health: str, token: str = "") -> None:
        command = [str(binary(name)), *(f"--{flag}={value}" for flag, value in flags.items())]
        process = ServerProcess(command, log=self._folder / f"{name}.log")

        async def healthy() -> bool:
            return await answered(health, token=token) is not None

        self._stack.push_async_callback(process.stop)
        await process.start(healthy)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _private_key() -> bytes:
    """Make the key that service account tokens are signed with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
