"""A private network key is replaced by a real operator while real nodes with real sidecars call each other."""

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from isek.processes.network_key import fingerprints

from tests.integration.operator.etcd_mesh import MESH, EtcdMesh, background
from tests.integration.operator.resources import mesh
from tests.support.kube import Object
from tests.support.node_process import agent
from tests.support.sidecar import PeerNode, sidecar_bundle
from tests.support.waiting import until

pytestmark = [
    pytest.mark.timeout(300),  # with the start of control plane and members
    pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/"),
]

ECHO = {"provider": "Echo"}


class Pods:
    """Two pods that ask each other, with the Secret of the mesh's key as a kubelet shows it."""

    def __init__(self, etcd: EtcdMesh, folder: Path) -> None:
        self._etcd, self._folder = etcd, folder
        self.secret = folder / "private-network.key"

    async def keys(self) -> str:
        secret = await self._etcd.kube.get("Secret", f"{MESH}-p2p")
        return b64decode(secret["data"]["private-network.key"]).decode()

    async def follow_secret(self) -> None:
        """What a kubelet does, sooner."""
        while True:
            keys = await self.keys()
            if not self.secret.exists() or self.secret.read_text() != keys:
                new = self.secret.with_suffix(".new")
                new.write_text(keys)
                new.replace(self.secret)
            await asyncio.sleep(0.2)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[PeerNode]]:
        tls = await self._etcd.certificates(f"{MESH}-etcd-client")
        self.secret.write_text(await self.keys())
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(
                self._etcd.kubelet.forward(self._etcd.namespace, f"{MESH}-etcd", 2379)
            )
            await stack.enter_async_context(background(self.follow_secret()))
            yield [
                await stack.enter_async_context(
                    PeerNode(
                        self._folder / name,
                        hosted,
                        private_network_key=self.secret,
                        registry_url=f"etcds://{address}",
                        registry_tls_dir=tls,
                        mesh_id=self._etcd.mesh_id,
                        namespace=self._etcd.namespace,
                        node_id=f"{name}.{self._etcd.namespace}",
                    )
                )
                for name, hosted in (
                    ("near", [agent("reader", ECHO), team("near-desk", "writer")]),
                    ("far", [agent("writer", ECHO), team("far-desk", "reader")]),
                )
            ]


def team(name: str, member: str) -> Object:
    return {
        "apiVersion": "isek.io/v1alpha1",
        "kind": "IsekTeam",
        "metadata": {"name": name},
        "spec": {"members": [{"agent": {"name": member}}]},
    }


async def all_answer(urls: list[str]) -> bool:
    async with aiohttp.ClientSession() as http:
        for url in urls:
            async with http.post(url, json={"message": "hello"}) as answer:
                if answer.status != 200:
                    return False
    return True


async def has_two_keys(pods: Pods) -> bool:
    return len(fingerprints(await pods.keys())) == 2


async def test_a_key_is_replaced_and_no_call_fails_though_the_operator_is_killed_meanwhile(
    etcd: EtcdMesh, tmp_path: Path
) -> None:
    await etcd.has_members(1)
    pods = Pods(etcd, tmp_path)
    await etcd.kube.until_condition("IsekMesh", MESH, "NetworkKeyCurrent")
    answered: Counter[int] = Counter()

    async def ask_on_and_on(url: str) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.post(url, json={"message": "hello"}) as answer:
                    await answer.read()
                    answered[answer.status] += 1

    async with pods.running() as (near, far), AsyncExitStack() as stack:
        before = await pods.keys()
        desks = [f"{near.node.url}/agents/near-desk", f"{far.node.url}/agents/far-desk"]
        await until(lambda: all_answer(desks), what="both know each other", within=30)
        for url in desks:
            await stack.enter_async_context(background(ask_on_and_on(url)))
        await until(lambda: answered[200] > 20, what="calls run")

        async with etcd.conditions_of("NetworkKeyCurrent") as seen:
            await etcd.kube.apply(mesh(MESH, p2p={"privateNetworkKey": {"rotation": 1}}))
            await until(lambda: has_two_keys(pods), what="the first step is taken")
            await etcd.operator.kill()
            await etcd.operator.start()
            await until(lambda: seen[-1:] == ["True"] and "False" in seen, what="the key is replaced", within=120)
        count = answered[200]
        await until(lambda: answered[200] > count + 20, what="calls run on")

        after = await pods.keys()
        found = await etcd.kube.get("IsekMesh", MESH)
    assert set(answered) == {200}, answered
    assert len(fingerprints(before)) == len(fingerprints(after)) == 1
    assert before != after
    assert found["status"]["privateNetworkKeys"] == list(fingerprints(after))
