"""Certificates change while nodes are registered and watch: nobody is lost, and nothing is restarted for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from isek.registry import Registry
from isek.registry.etcd import EtcdRegistry
from isek_operator import pki

from tests.integration.registry.records import node
from tests.support.log_lines import LogLines
from tests.support.secure_etcd import NODE, ROOT, SERVER, SecureEtcd
from tests.support.waiting import until
from tests.unit.manifests.samples import a_mesh

MESH = a_mesh(meshID="press")
TTL_SECONDS = 5


@pytest.fixture
async def etcd() -> AsyncIterator[SecureEtcd]:
    async with SecureEtcd(MESH) as etcd:
        await etcd.enable_auth([f"/isek/{MESH.mesh_id}/"])
        yield etcd


def open_registry(etcd: SecureEtcd) -> EtcdRegistry:
    files = etcd.certificates.files(NODE)
    return EtcdRegistry([etcd.endpoint], mesh_id=MESH.mesh_id, ttl_seconds=TTL_SECONDS, tls=files)


class Watched:
    """Notes whenever a node that should be known is not."""

    def __init__(self, registry: Registry, expected: set[str]) -> None:
        self._registry, self._expected = registry, expected
        self.missed: list[set[str]] = []

    async def watch(self) -> None:
        while True:
            await self._registry.changed()
            known = {record.node_id for record in self._registry.peers()}
            if not known >= self._expected:
                self.missed.append(self._expected - known)


async def rolled_over(etcd: SecureEtcd) -> None:
    """A new authority takes the place of the old one, step by step, as the operator does it."""
    certificates = etcd.certificates
    former, latter = certificates.authority, pki.new_authority("isek test", datetime.now(UTC))
    both = pki.bundle([latter.certificate, former.certificate])
    for authority, trusted in ((former, both), (latter, both), (latter, latter.certificate)):
        for who in (SERVER, NODE, ROOT):
            certificates.renew(who, authority=authority, trusted=trusted)
        await etcd.restart()
    certificates.authority = latter


async def test_an_authority_is_rolled_over_under_nodes_that_are_registered_and_watch(etcd: SecureEtcd) -> None:
    async with AsyncExitStack() as stack:
        far, near = [await stack.enter_async_context(open_registry(etcd)) for _ in range(2)]
        await near.register(node("first", "writer"))
        await far.register(node("second", "editor"))
        watched = [Watched(registry, {"first.newsroom", "second.newsroom"}) for registry in (far, near)]
        former = etcd.certificates.files(NODE).read()
        watching = [asyncio.create_task(each.watch()) for each in watched]

        await rolled_over(etcd)
        await near.register(node("third", "writer"))

        assert await far.wait_for(lambda: len(far.find("writer.newsroom")) == 2, 5)
        for task in watching:
            task.cancel()
        assert [each.missed for each in watched] == [[], []]
        assert etcd.certificates.files(NODE).read() != former


async def test_a_new_certificate_is_shown_on_new_connections_while_the_old_ones_last(etcd: SecureEtcd) -> None:
    async with open_registry(etcd) as far, open_registry(etcd) as near:
        await near.register(node("first", "writer"))
        await far.wait_for(far.peers, 5)

        etcd.certificates.renew(NODE)
        await near.register(node("second", "editor"))

        assert await far.wait_for(lambda: far.find("editor.newsroom"), 5)
        assert {record.node_id for record in far.peers()} == {"first.newsroom", "second.newsroom"}


async def test_certificates_that_come_late_are_waited_for(etcd: SecureEtcd, log: LogLines) -> None:
    folder = etcd.certificates.folder / NODE
    folder.rename(folder.with_name("elsewhere"))
    async with open_registry(etcd) as registry:
        await until(lambda: "the certificates for etcd cannot be read" in log.text, what="it says what is missing")

        folder.with_name("elsewhere").rename(folder)
        await registry.register(node("first", "writer"))

        assert registry.peers() == (node("first", "writer"),)
