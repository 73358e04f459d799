"""A mesh's etcd is kept up to date and in order without a node being forgotten; and who may do what in it."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from aetcd import rpc
from isek_operator import pki

from tests.integration.operator.etcd_mesh import EtcdMesh
from tests.support.kube import Object
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # with the start of control plane and members


async def test_a_new_image_rolls_out_one_member_at_a_time_and_the_leader_last(three: EtcdMesh) -> None:
    before = await three.pods()
    deleted: list[str] = []
    unready: dict[str, bool] = {}
    most_unready = 0

    def take(type_: str, pod: Object) -> None:
        nonlocal most_unready
        name = pod["metadata"]["name"]
        if type_ == "DELETED":
            deleted.append(name)
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        unready[name] = type_ == "DELETED" or not ready
        most_unready = max(most_unready, sum(unready.values()))

    async with three.nodes(2), await three.clients() as clients, three.pods_seen(take):
        leader = await three.leader()
        await three.apply(replicas=3, image="registry.k8s.io/etcd:3.6.9-0")
        await three.kube.until_true("IsekMesh", "default", lambda _: len(deleted) == 3, what="has rolled", within=60)
        await three.until_settled(3)

    assert clients.verdict.violations == []
    assert deleted[-1] == leader
    assert sorted(deleted) == sorted(before)
    assert most_unready == 1


async def test_an_older_image_is_refused_and_what_runs_is_kept(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    before = await etcd.pods()

    await etcd.apply(replicas=1, image="registry.k8s.io/etcd:3.5.21-0")

    refused = await etcd.kube.until_condition("IsekMesh", "default", "Stalled")
    assert "3.5" in str(refused["status"]["conditions"])
    assert await etcd.pods() == before
    async with etcd.nodes(1):
        pass  # it is still there to register with


async def test_a_certificate_is_renewed_under_the_feet_of_its_users(three: EtcdMesh) -> None:
    pods = await three.pods()
    secrets = ("default-etcd-server", "default-etcd-client", "default-etcd-root")

    async with three.nodes(2), await three.clients() as clients:
        for name in secrets:
            await let_renew(three, name)
        renewed = (await contents(three, "default-etcd-server"))["tls.crt"]
        await until(lambda: all_show(three, renewed), what="the members show the new certificate")
        await three.until_settled(3)

    assert clients.verdict.violations == []
    assert await three.pods() == pods


async def test_a_full_etcd_is_given_room_again(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    async with etcd.nodes(1), etcd_channel(etcd) as channel:
        put = rpc.PutRequest(key=f"/isek/{etcd.mesh_id}/large".encode(), value=b"x" * 1024 * 1024)
        with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
            await write_for_ever(channel, put)

        async def accepted() -> bool:
            small = rpc.PutRequest(key=put.key, value=b"x")
            await rpc.KVStub(channel).Put(small, timeout=10)
            return True

        await until(accepted, what="etcd takes writes again", within=60, retry_on=(grpc.aio.AioRpcError,))
        await etcd.until_settled(1)


async def test_a_node_may_touch_its_own_mesh_and_nothing_else(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    async with etcd_channel(etcd) as channel:
        kv = rpc.KVStub(channel)
        for key in (b"/isek/other.default/nodes/", b"/isek/", b"\0"):
            with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
                await kv.Range(rpc.RangeRequest(key=key), timeout=5)
            with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
                await kv.Put(rpc.PutRequest(key=key, value=b"x"), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
            await rpc.AuthStub(channel).UserList(rpc.AuthUserListRequest(), timeout=5)


async def test_who_has_no_certificate_is_not_let_in(etcd: EtcdMesh) -> None:
    await etcd.has_members(1)
    ca = (await etcd.certificates("default-etcd-client") / "ca.crt").read_bytes()
    async with (
        etcd.kubelet.forward(etcd.namespace, "default-etcd", 2379) as address,
        grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca)) as nobody,
        grpc.aio.insecure_channel(address) as plain,
    ):
        for channel in (nobody, plain):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"x"), timeout=5)
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


@asynccontextmanager
async def etcd_channel(etcd: EtcdMesh) -> AsyncIterator[grpc.aio.Channel]:
    """A node's connection."""
    folder = await etcd.certificates("default-etcd-client")
    ca, key, certificate = ((folder / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    async with (
        etcd.kubelet.forward(etcd.namespace, "default-etcd", 2379) as address,
        grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate)) as channel,
    ):
        yield channel


async def certificate_due_for_renewal(etcd: EtcdMesh, secret: str) -> dict[str, str]:
    """Make what a Secret would hold if it were older."""
    authority = await contents(etcd, "default-etcd-ca")
    [now] = pki.read_certificates((await contents(etcd, secret))["tls.crt"])
    older = pki.new_certificate(
        pki.KeyPair(authority["tls.crt"], authority["tls.key"]),
        now.common_name,
        datetime.now(UTC) - timedelta(days=70),
        dns_names=now.dns_names,
        ip_addresses=now.ip_addresses,
    )
    data = {"tls.crt": older.certificate, "tls.key": older.key}
    return {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}


async def write_for_ever(channel: grpc.aio.Channel, put: rpc.PutRequest) -> None:
    while True:
        await asyncio.gather(*(rpc.KVStub(channel).Put(put, timeout=20) for _ in range(8)))


async def let_renew(etcd: EtcdMesh, secret: str) -> None:
    """Put a certificate in that is old enough, and wait until the operator has replaced it."""
    due = await certificate_due_for_renewal(etcd, secret)
    await etcd.kube.patch("Secret", secret, {"data": due})
    await until(lambda: is_another(etcd, secret, due), what=f"{secret} is renewed")


async def is_another(etcd: EtcdMesh, secret: str, than: dict[str, str]) -> bool:
    return bool((await etcd.kube.get("Secret", secret))["data"]["tls.crt"] != than["tls.crt"])


async def contents(etcd: EtcdMesh, secret: str) -> dict[str, str]:
    data = (await etcd.kube.get("Secret", secret))["data"]
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


async def all_show(etcd: EtcdMesh, certificate: str) -> bool:
    """Whether all members show that certificate to whoever connects."""
    addresses = [(pod["status"]["podIP"], 2379) for pod in await etcd.kube.list("Pod")]
    shown = [await asyncio.to_thread(ssl.get_server_certificate, address) for address in addresses]
    return {pki.read_certificates(pem) for pem in shown} == {pki.read_certificates(certificate)}
