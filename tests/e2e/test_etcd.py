"""The etcd of a mesh: what its agents notice when members go and come."""

import asyncio
from collections import Counter
from functools import partial

from tests.support.api_examples import agent, mesh, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl, Object
from tests.support.machines import kill_for_good

ECHOES = (agent("parrot"), team("aviary", members=[{"agent": {"name": "parrot"}}]))


async def test_asking_goes_on_while_one_of_three_members_is_dead(namespace: Kubectl) -> None:
    await namespace.apply(mesh("default", etcd={"replicas": 3}), *ECHOES)
    await namespace.until_condition("isekteam", "aviary", within=180)
    await namespace.until_condition("isekmesh", "default", within=180)  # all members are there
    members = await namespace.list("pod", labels="isek.io/mesh=default")
    machines = Counter(member["spec"]["nodeName"] for member in members)
    assert sorted(machines.values()) == [1, 2]  # spread over the two machines that take pods
    isek = Isek(namespace)

    killed = asyncio.create_task(kill_for_good(namespace, members[0]["metadata"]["name"]))
    while not killed.done():
        assert (await isek.ask("aviary", "hello")).text == "hello"
    await killed

    assert (await isek.ask("aviary", "still there?")).text == "still there?"
    # and who is new is found through the two that are left
    await namespace.apply(agent("finch"))
    await namespace.until_condition("isekagent", "finch")
    assert (await isek.ask("finch", "and you?")).text == "and you?"
    await namespace.until_condition("isekmesh", "default", within=120)


async def test_nodes_notice_nothing_when_the_etcd_grows_to_five_members_and_shrinks_to_one(namespace: Kubectl) -> None:
    await namespace.apply(mesh("default"), *ECHOES)
    await namespace.until_condition("isekteam", "aviary", within=180)
    isek = Isek(namespace)
    nodes = set(await isek.nodes())
    assert len(nodes) == 2
    available = await condition(namespace, "EtcdAvailable")
    assert available["status"] == "True"

    for members in (3, 5, 3, 1):
        await namespace.apply(mesh("default", etcd={"replicas": members}))
        await namespace.until_true(
            "isekmesh", "default", partial(has_members, count=members), what=f"has {members} members", within=240
        )
        await namespace.until_condition("isekmesh", "default")
        assert set(await isek.nodes()) == nodes
        assert (await isek.ask("aviary", f"{members} members?")).text == f"{members} members?"
        machines = Counter(
            pod["spec"]["nodeName"] for pod in await namespace.list("pod", labels="isek.io/mesh=default")
        )
        assert max(machines.values()) <= (members + 1) // 2  # on two machines

    assert (await condition(namespace, "EtcdAvailable")) == available  # since then, without a break
    pods = [
        pod for name in ("agent=parrot", "team=aviary") for pod in await namespace.list("pod", labels=f"isek.io/{name}")
    ]
    assert [status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]] == [0, 0]


async def condition(namespace: Kubectl, type_: str) -> Object:
    """The status of a condition of the mesh, and since when."""
    found = await namespace.get("isekmesh", "default")
    [condition] = [each for each in found["status"]["conditions"] if each["type"] == type_]
    return {name: condition[name] for name in ("status", "lastTransitionTime")}


def has_members(found: Object, *, count: int) -> bool:
    up_to_date: bool = found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return up_to_date and found["status"]["etcdReadyReplicas"] == count
