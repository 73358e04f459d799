"""Things that break while a mesh works: nothing acknowledged is lost, nobody waits beyond a deadline, and all heals."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from isek.processes.network_key import new_private_network_key
from isek.registry.record import nodes_prefix

from tests.support.control_plane_etcd import EtcdServer
from tests.support.load import DISCONNECTED, Asked, Load
from tests.support.loaded_mesh import DESK, REPLICA, TTL_SECONDS, LoadedMesh, loaded_mesh
from tests.support.node_process import ask
from tests.support.relay import RelayProcess
from tests.support.sidecar import sidecar_bundle
from tests.support.waiting import until

ROUNDS = int(os.environ.get("ISEK_LOAD_ROUNDS", "1"))
HEALED_SECONDS = 30
TRUSTED_SECONDS = 10
"""That a sidecar lets the calls of a peer in on the word of its node."""
NOWHERE = "127.1.2.3"
"""An address at which nobody listens."""
HOSTED = {"here": DESK, "there": DESK, "first": REPLICA, "second": REPLICA}

pytestmark = [
    pytest.mark.skipif(not sidecar_bundle().exists(), reason="build the sidecar: npm run build in p2p/"),
    pytest.mark.timeout(120 * (1 + ROUNDS)),
]


@dataclass
class Ground:
    """What is broken, and what it stands on."""

    mesh: LoadedMesh
    etcd: EtcdServer
    relays: list[RelayProcess]

    async def registered(self) -> set[str]:
        """The nodes whose record stands in etcd."""
        return {key.rpartition("/")[2] for key in await self.etcd.keys(nodes_prefix(self.mesh.mesh_id))}


@pytest.fixture(scope="module")
async def direct(tmp_path_factory: pytest.TempPathFactory, etcd_server: EtcdServer) -> AsyncIterator[Ground]:
    """Nodes that dial each other."""
    async with loaded_mesh(tmp_path_factory.mktemp("direct"), etcd_server.members[0].port, HOSTED) as mesh:
        yield Ground(mesh, etcd_server, [])


@pytest.fixture(scope="module")
async def relayed(tmp_path_factory: pytest.TempPathFactory, etcd_server: EtcdServer) -> AsyncIterator[Ground]:
    """Nodes that cannot dial each other, and two relays."""
    folder = tmp_path_factory.mktemp("relayed")
    key = folder / "private-network.key"
    key.write_text(new_private_network_key())
    async with AsyncExitStack() as stack:
        relays = [
            await stack.enter_async_context(RelayProcess(folder / name, private_network_key=key))
            for name in ("relay-0", "relay-1")
        ]
        (folder / "relays").write_text("".join(f"{relay.address}\n" for relay in relays))
        through = {"ISEK_P2P_RELAYS_FILE": str(folder / "relays"), "ISEK_P2P_ANNOUNCE_HOST": NOWHERE}
        mesh = loaded_mesh(
            folder,
            etcd_server.members[0].port,
            {"here": DESK, "first": REPLICA},
            private_network_key=key,
            sidecar_environment=through,
        )
        yield Ground(await stack.enter_async_context(mesh), etcd_server, relays)


async def its_sidecar_is_killed(ground: Ground, name: str, load: Load) -> None:
    sidecar = ground.mesh.peers[name].sidecar
    await sidecar.kill()
    await sidecar.start_again()


async def it_is_killed(ground: Ground, name: str, load: Load) -> None:
    await ground.mesh.peers[name].kill_node()
    await ground.mesh.peers[name].start_node()


async def it_is_cut_off_from_etcd(ground: Ground, names: str, load: Load) -> None:
    """Until its record is forgotten, and longer."""
    ways = [ground.mesh.ways_to_etcd[name] for name in names.split()]
    for way in ways:
        await way.cut()

    async def forgotten() -> bool:
        return not await ground.registered() & {*names.split()}

    await until(forgotten, what="the records have expired", within=TTL_SECONDS + 5)
    assert await load.flows(), "who is cut off is asked, and asks"
    for way in ways:
        await way.listen()


async def one_relay_is_killed(ground: Ground, _: str, load: Load) -> None:
    one, _other = ground.relays
    await one.kill()
    await load.flows(within=HEALED_SECONDS)
    await one.__aenter__()


async def all_relays_are_killed(ground: Ground, _: str, load: Load) -> None:
    for relay in ground.relays:
        await relay.kill()
    for relay in ground.relays:
        await relay.__aenter__()
    await load.flows(within=HEALED_SECONDS)


@dataclass(frozen=True)
class Fault:
    """What happens to whom, and what callers may notice of it."""

    happens: Callable[[Ground, str, Load], Awaitable[None]]
    to: str = ""
    ends: frozenset[str] = frozenset()
    """In which errors calls may end until it is over."""
    nobody_home: bool = False
    """Callers of this desk see that it is gone."""


UNREACHABLE = frozenset({"AgentUnreachable"})
UNKNOWN = UNREACHABLE | {"DeliveryUnknown"}
DIRECT = {
    "the sidecar of who asks is killed": Fault(its_sidecar_is_killed, "here"),
    "the sidecar of who is asked is killed": Fault(its_sidecar_is_killed, "first"),
    "the node of who is asked is killed": Fault(it_is_killed, "first", ends=UNKNOWN),
    "the node of who asks is killed": Fault(it_is_killed, "here", nobody_home=True),
    "some nodes are cut off from etcd": Fault(it_is_cut_off_from_etcd, "there second"),
    "all nodes are cut off from etcd": Fault(it_is_cut_off_from_etcd, " ".join(HOSTED)),
}
RELAYED = {
    "one of two relays is killed": Fault(one_relay_is_killed),
    "all relays are killed and come back": Fault(all_relays_are_killed, ends=UNREACHABLE),
}


@pytest.mark.parametrize("fault", DIRECT.values(), ids=DIRECT)
async def test_nothing_acknowledged_is_lost_when(direct: Ground, fault: Fault) -> None:
    for _ in range(ROUNDS):
        await under_load(direct, fault)


@pytest.mark.parametrize("fault", RELAYED.values(), ids=RELAYED)
async def test_between_nodes_that_cannot_dial_each_other_nothing_acknowledged_is_lost_when(
    relayed: Ground, fault: Fault
) -> None:
    for _ in range(ROUNDS):
        await under_load(relayed, fault)


async def under_load(ground: Ground, fault: Fault) -> None:
    mesh = ground.mesh
    gone = [fault.to] if fault.nobody_home else []
    lasting = [desk for desk in mesh.desks if desk not in gone]
    async with mesh.load(listening=lasting) as load:
        await load.flows()
        await fault.happens(ground, fault.to, load)
        over = time.monotonic()
        await load.flows(within=HEALED_SECONDS)
        await until(mesh.whole, what="all nodes know all nodes", within=HEALED_SECONDS)
        healed = time.monotonic() - over
        await load.end()
        print(f"{fault.happens.__name__} {fault.to}: {load.summary()}; healed in {healed:.1f} s")  # noqa: T201

        assert [each for each in load.failed() if not _is_expected(each, fault, gone, over)] == []
        # a message in the line of a process that is killed is lost with it, as docs/guides/topics.md says
        await load.assert_promises(lost_before=over if fault.ends else 0.0, at=lasting)


def _is_expected(asked: Asked, fault: Fault, gone: list[str], over: float) -> bool:
    if asked.begun > over:
        return False
    return asked.code in fault.ends or (asked.desk in gone and asked.code == DISCONNECTED)


async def test_a_node_whose_record_has_expired_is_refused_by_sidecars_until_it_is_back(direct: Ground) -> None:
    there, way = direct.mesh.peers["there"], direct.mesh.ways_to_etcd["there"]
    assert (await ask(there.node.url, "before", agent="desk"))[0] == 200
    await way.cut()

    async def expired() -> bool:
        return "there" not in await direct.registered()

    await until(expired, what="the record has expired", within=TTL_SECONDS + 5)

    async def refused() -> bool:
        _, body = await ask(there.node.url, "lately", agent="desk")
        return "PeerRefused: peer" in str(body.get("error"))  # as sidecars say it

    await until(refused, what="sidecars refuse it", within=TRUSTED_SECONDS + 5)
    assert (await ask(there.node.url, "expired", agent="desk"))[0] == 502
    assert "expired" not in (direct.mesh.journal / "writer").read_text()

    await way.listen()

    async def answered() -> bool:
        return (await ask(there.node.url, "after", agent="desk"))[0] == 200

    await until(answered, what="it is let in again", within=HEALED_SECONDS)
