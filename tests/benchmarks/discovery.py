"""Discovery with many nodes on a real etcd: how soon a coming and a leaving are seen, and what they cost."""

import asyncio
import gc
import os
import re
import time
from collections.abc import Iterable

import aiohttp
from isek.registry import AgentRecord, NodeRecord
from isek.registry.etcd import EtcdRegistry
from isek.registry.etcd_client import EtcdClient

from tests.benchmarks.load import resident_mib
from tests.support.control_plane_etcd import EtcdServer
from tests.support.waiting import until

MESH = "bench.discovery"
SIZES = (1_000, 5_000)
WATCHERS = 10
CHANGES = 100
AT_ONCE = 50


async def discovery() -> str:
    """The table."""
    etcd = EtcdServer()
    await etcd.start()
    rows = []
    try:
        client = EtcdClient(etcd.endpoints)
        lease = await client.grant(3600)
        written = 0
        for size in SIZES:
            await _put(client, lease, map(_record, range(written, size)))
            written = size
            rows.append(await _row(etcd, client, size))
        await client.close()
    finally:
        await etcd.stop()
    return (
        "| nodes | joined, seen by all watchers, s | left, the same | bytes that etcd sends for a change to a watcher "
        "| MiB a watcher |\n|---|---|---|---|---|\n" + "".join(rows)
    )


async def _row(etcd: EtcdServer, client: EtcdClient, size: int) -> str:
    gc.collect()
    before = resident_mib(os.getpid())
    watchers = [EtcdRegistry(etcd.endpoints, mesh_id=MESH, ttl_seconds=60) for _ in range(WATCHERS)]
    for watcher in watchers:
        await watcher.start()
    await until(lambda: all(len(each.peers()) == size for each in watchers), what="all are known", within=60)
    memory = (resident_mib(os.getpid()) - before) / WATCHERS
    sent = await _sent_bytes(etcd)
    lease = await client.grant(60)
    begun = time.perf_counter()
    await _put(client, lease, (_record(number) for number in range(10**6, 10**6 + CHANGES)))
    await until(lambda: all(len(each.peers()) == size + CHANGES for each in watchers), what="all joined", poll=0.005)
    joined, sent = time.perf_counter() - begun, await _sent_bytes(etcd) - sent
    begun = time.perf_counter()
    await client.revoke(lease)
    await until(lambda: all(len(each.peers()) == size for each in watchers), what="all left", poll=0.005)
    left = time.perf_counter() - begun
    for watcher in watchers:
        await watcher.close()
    each = sent / CHANGES / WATCHERS
    return f"| {size:,} | {joined:.2f} ({CHANGES} at once) | {left:.2f} | {each:.0f} | {memory:.1f} |\n"


async def _put(client: EtcdClient, lease: int, records: Iterable[NodeRecord]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def put(record: NodeRecord) -> None:
        async with slots:
            await client.put(record.key(MESH), record.encode(), lease)

    await asyncio.gather(*map(put, records))


def _record(number: int) -> NodeRecord:
    return NodeRecord(
        node_id=f"node-{number}.default",
        host="10.0.0.1",
        port=8080,
        peer_id=f"12D3KooW{number:044}",
        p2p_address=f"/ip4/10.0.0.1/tcp/9000/p2p/12D3KooW{number:044}",
        agents=(AgentRecord(name=f"agent-{number}", capabilities=("translation", "search"), description="x" * 80),),
    )


async def _sent_bytes(etcd: EtcdServer) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"http://{etcd.endpoints[0]}/metrics") as response:
        text = await response.text()
    found = re.search(r"^etcd_network_client_grpc_sent_bytes_total (\S+)$", text, re.MULTILINE)
    assert found is not None, "etcd does not say what it has sent"
    return float(found[1])
