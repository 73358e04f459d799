"""Members of an etcd are killed, frozen, cut off and run out of disk, while clients write and watch over TLS.

The schedule follows from a seed. ``ISEK_FIRE_ROUNDS`` sets how often all faults are done (default 1; `make faults`
does more), ``ISEK_FIRE_SEED`` their order, victims and lengths.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Figure
from tests.support.api_examples import agent, mesh
from tests.support.etcd_clients import PROGRAM, EtcdClients
from tests.support.etcd_history import longest_gap
from tests.support.kubectl import CommandFailedError, Kubectl, Object, run
from tests.support.machines import process_in
from tests.support.waiting import until

ROUNDS = int(os.environ.get("ISEK_FIRE_ROUNDS", "1"))
SEED = os.environ.get("ISEK_FIRE_SEED", "1")
MEMBERS = ("default-etcd-0", "default-etcd-1", "default-etcd-2")
CLIENTS, PEERS = 2379, 2380
SMALL = "isek-fire-small"
"""A StorageClass of volumes that a test can fill."""
PROGRAM_TEXT = Path(PROGRAM).read_text()
VOLUME_MIB = 256  # two WAL segments of 64 MiB, a database, and some room


@asynccontextmanager
async def killed(namespace: Kubectl, member: str) -> AsyncIterator[None]:
    await (await process_in(namespace, member, "etcd")).signal("KILL")
    yield


@asynccontextmanager
async def frozen(namespace: Kubectl, member: str) -> AsyncIterator[None]:
    process = await process_in(namespace, member, "etcd")
    await process.signal("STOP")
    try:
        yield
    finally:
        await process.signal("CONT")


@asynccontextmanager
async def cut_off_from_members(namespace: Kubectl, member: str) -> AsyncIterator[None]:
    """Clients still reach it."""
    async with (await process_in(namespace, member, "etcd")).cut_off(PEERS):
        yield


@asynccontextmanager
async def cut_off_from_all(namespace: Kubectl, member: str) -> AsyncIterator[None]:
    async with (await process_in(namespace, member, "etcd")).cut_off(PEERS, CLIENTS):
        yield


@asynccontextmanager
async def out_of_disk(namespace: Kubectl, member: str) -> AsyncIterator[None]:
    """It gives up at its next write, and is started again until there is room."""
    claim = await namespace.get("pvc", f"data-{member}")
    volume = await namespace.get("pv", claim["spec"]["volumeName"])
    machine, filler = volume["metadata"]["labels"]["machine"], f"{volume['spec']['local']['path']}/filler"
    await run("docker", "exec", machine, "sh", "-c", f"dd if=/dev/zero of={filler} bs=1M 2>/dev/null || true")
    try:
        yield
    finally:
        await run("docker", "exec", machine, "rm", "-f", filler)


Fault = Callable[[Kubectl, str], AbstractAsyncContextManager[None]]
FAULTS: tuple[tuple[Fault, bool], ...] = (
    (killed, True),
    (killed, False),
    (frozen, True),
    (frozen, False),
    (cut_off_from_members, True),
    (cut_off_from_all, False),
    (out_of_disk, True),
)
"""Each with whether the leader is its victim."""
ENDINGS = sum(fault in (killed, out_of_disk) for fault, _ in FAULTS)
"""How many of them end a process."""


@pytest.fixture
async def small_volumes(cluster: Kubectl) -> AsyncIterator[None]:
    """Volumes in memory of a size that holds, two on each machine that takes pods."""
    machines = [
        found["metadata"]["name"]
        for found in await cluster.list("node", labels="!node-role.kubernetes.io/control-plane")
    ]
    places = [(machine, f"/mnt/isek-fire-{number}") for machine in machines for number in range(2)]
    for machine, path in places:
        mount = f"mkdir -p {path} && mount -t tmpfs -o size={VOLUME_MIB}m,mode=777 tmpfs {path}"
        await run("docker", "exec", machine, "sh", "-c", mount)
    volumes = [local_volume(machine, path) for machine, path in places]
    await cluster.apply(storage_class(), *volumes)
    yield
    names = [volume["metadata"]["name"] for volume in volumes]
    await cluster("delete", "--wait=false", f"storageclass/{SMALL}", *(f"pv/{name}" for name in names))
    for machine, path in places:
        await run("docker", "exec", machine, "umount", "--lazy", path)


@pytest.mark.timeout(1800 + 600 * ROUNDS)
async def test_no_acknowledged_write_is_lost_whatever_happens_to_a_member(
    namespace: Kubectl, small_volumes: None, figure: Figure
) -> None:
    await namespace.apply(
        mesh("default", etcd={"replicas": 3, "storage": {"className": SMALL, "size": f"{VOLUME_MIB}Mi"}}),
        *(agent(name) for name in ("parrot", "finch", "wren")),
    )
    for name in ("parrot", "finch", "wren"):
        await namespace.until_condition("isekagent", name, within=240)
    await namespace.until_condition("isekmesh", "default", within=240)
    before = await who_is_there(namespace)
    chance = random.Random(SEED)  # noqa: S311 - no secret
    async with EtcdClients(await clients_command(namespace)) as clients:
        for _ in range(ROUNDS):
            for fault, to_leader in chance.sample(FAULTS, len(FAULTS)):
                leader = await until(lambda: leader_of(namespace), what="there is a leader", within=30)
                victim = leader if to_leader else chance.choice([name for name in MEMBERS if name != leader])
                story = await endure(namespace, fault, victim, clients, hold_seconds=chance.uniform(1, 5))
                figure(f"{fault.__name__.replace('_', ' ')}, {'the leader' if to_leader else 'a follower'}: {story}")
    verdict = clients.verdict
    figure(f"seed {SEED}: {verdict}")
    assert verdict.violations == []
    assert verdict.acknowledged > 100
    assert await who_is_there(namespace) == before  # nobody was replaced
    assert await restarts(namespace, "isek.io/mesh=default") >= ROUNDS * ENDINGS
    assert await restarts(namespace, "isek.io/agent") == 0


async def endure(namespace: Kubectl, fault: Fault, victim: str, clients: EtcdClients, *, hold_seconds: float) -> str:
    """Let it happen, see that the other two go on, and wait until all is well again; what it was like."""
    began = time.monotonic()
    async with fault(namespace, victim):
        await clients.until_acknowledged(time.monotonic())
        if fault is not killed:  # that one is soon back
            await until(lambda: unready(namespace, victim), what=f"{victim} is out of service", within=60)
        await asyncio.sleep(hold_seconds)
        await clients.until_acknowledged(time.monotonic())
    mended = time.monotonic()
    await until(lambda: all_ready(namespace), what="all members are ready", within=120)
    await clients.until_acknowledged(time.monotonic())
    gap = longest_gap(clients.history, began, time.monotonic())
    return (
        f"no write acknowledged for {gap:.1f} s at most; mended after {mended - began:.1f} s,"
        f" all ready {time.monotonic() - mended:.1f} s later"
    )


async def clients_command(namespace: Kubectl) -> list[str]:
    """The writers and watchers, in the pod of an agent, who they are to etcd."""
    mesh_id = f"{namespace.namespace}.default"
    plan = {
        "endpoints": [f"{name}.default-etcd-peers.{namespace.namespace}.svc:{CLIENTS}" for name in MEMBERS],
        "tls": "/var/run/isek/etcd",
        "prefix": f"/isek/{mesh_id}/fire/",
        "nodes": f"/isek/{mesh_id}/nodes/",
    }
    [pod] = await namespace.list("pod", labels="isek.io/agent=parrot")
    program = ("python", "-c", PROGRAM_TEXT, json.dumps(plan))
    return list(namespace.command("exec", "--stdin", pod["metadata"]["name"], "--container=node", "--", *program))


async def leader_of(namespace: Kubectl) -> str | None:
    for name in MEMBERS:
        if await ready(namespace, name) and "\netcd_server_is_leader 1\n" in await ask(namespace, name, "metrics"):
            return name
    return None


async def ready(namespace: Kubectl, member: str) -> bool:
    """What the member itself says, which its pod's status tells only later."""
    try:
        return bool(await ask(namespace, member, "readyz"))
    except CommandFailedError:
        return False


async def all_ready(namespace: Kubectl) -> bool:
    return all([await ready(namespace, name) for name in MEMBERS])


async def unready(namespace: Kubectl, member: str) -> bool:
    return not await ready(namespace, member)


async def ask(namespace: Kubectl, member: str, path: str) -> str:
    url = f"/api/v1/namespaces/{namespace.namespace}/pods/{member}:2381/proxy/{path}"
    return await namespace("get", "--raw", url, "--request-timeout=3s")


async def who_is_there(namespace: Kubectl) -> dict[str, str]:
    """The members' pods, and what the operator has written down about the members."""
    pods = {name: str((await namespace.get("pod", name))["metadata"]["uid"]) for name in MEMBERS}
    written: Object = await namespace.get("configmap", "default-etcd")
    return pods | {"membership": written["metadata"]["annotations"]["isek.io/etcd-members"]}


async def restarts(namespace: Kubectl, label: str) -> int:
    pods = await namespace.list("pod", labels=label)
    return sum(status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"])


def storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": SMALL},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def local_volume(machine: str, path: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [machine]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{machine}{path.replace('/', '-')}", "labels": {"machine": machine}},
        "spec": {
            "storageClassName": SMALL,
            "capacity": {"storage": f"{VOLUME_MIB}Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
