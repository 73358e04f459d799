"""The etcd of a mesh: what its agents notice when members go and come."""

import asyncio
from collections import Counter
from functools import partial

from tests.support.api_examples import agent, mesh, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl, Object
from tests.support.machines import kill_for_good
from tests.support.waiting import until

ECHOES = (agent("parrot"), team("aviary", members=[{"agent": {"name": "parrot"}}]))


async def test_asking_goes_on_while_one_of_three_members_is_dead(namespace: Kubectl) -> None:
    await namespace.apply(mesh("default", etcd={"replicas": 3}), *ECHOES)
    await namespace.until_condition("isekteam", "aviary", within=180)
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
    await namespace("rollout", "status", "statefulset/default-etcd", "--timeout=120s")


async def test_nodes_come_back_by_themselves_when_the_etcd_grows_and_shrinks(namespace: Kubectl) -> None:
    await namespace.apply(mesh("default"), *ECHOES)
    await namespace.until_condition("isekteam", "aviary", within=180)
    isek = Isek(namespace)
    nodes = set(await isek.nodes())
    assert len(nodes) == 2

    for members in (3, 1):
        await namespace.apply(mesh("default", etcd={"replicas": members}))
        await namespace.until_true(
            "isekmesh", "default", partial(has_members, count=members), what=f"has {members} members", within=150
        )
        await namespace.until_condition("isekmesh", "default")

        async def back() -> bool:
            return set(await isek.nodes()) == nodes  # the same pods, none restarted

        await until(back, what=f"both nodes are registered with {members} members", within=60)
        assert (await isek.ask("aviary", f"{members} members?")).text == f"{members} members?"

    pods = [
        pod for name in ("agent=parrot", "team=aviary") for pod in await namespace.list("pod", labels=f"isek.io/{name}")
    ]
    assert [status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]] == [0, 0]


def has_members(found: Object, *, count: int) -> bool:
    up_to_date: bool = found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return up_to_date and found["status"]["etcdReadyReplicas"] == count
