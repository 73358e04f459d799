"""What is done to a namespace, step by step."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from isek.api import KINDS

from tests.integration.operator.resources import agent, mesh, node, team
from tests.support.kube import KubeClient, KubeError, Object

GROUND = {"meshRef": {"name": "ground"}}
SHARED = {"nodeRef": {"name": "shared"}}
OPENAI = {
    "provider": "OpenAI",
    "name": "gpt-5-mini",
    "apiKey": {"secretKeyRef": {"name": "openai", "key": "api-key"}},
}
REMEMBERS = {"provider": "SQLite"}
FROM_SECRET = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "environment", "key": "token"}}}]


@dataclass(frozen=True)
class Scenario:
    """Two steps, each ending in a settled namespace. Only during the second one there are faults."""

    name: str
    before: Callable[[KubeClient], Awaitable[None]]
    act: Callable[[KubeClient], Awaitable[None]]
    ready: Sequence[str] = ()
    """Custom resources that are ready in the end; ``Kind name``. No mesh is: its etcd does not run."""
    stalled: Sequence[str] = ()
    """Those that somebody has to mend."""
    writes: int = 40
    """No fewer than the operator needs for the second step: kills are tried around each of them."""

    def __str__(self) -> str:
        return self.name


def secret(name: str, **values: str) -> Object:
    """A user's Secret, changes of which are to be seen at once."""
    metadata = {"name": name, "labels": {"isek.io/watch": "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


EVERYTHING: list[Object] = [
    secret("openai", **{"api-key": "sk-nothing"}),
    agent("researcher", instructions="Find facts.", model=OPENAI, **GROUND),
    agent("writer", instructions="Write.", **SHARED),
    agent("editor", tools=[{"agent": {"name": "writer"}}], **SHARED),
    agent("nomad", memory=REMEMBERS, **GROUND),
    agent("loner", memory=REMEMBERS),
    agent("lost", nodeRef={"name": "nowhere"}),
    team("newsroom", "researcher", "writer", **GROUND),
    {**team("desk", **SHARED), "spec": {"members": [{"team": {"name": "newsroom"}}], **SHARED}},
    node("shared", template={"env": FROM_SECRET}, **GROUND),
    mesh("ground"),
    secret("environment", token="nothing"),
]

CHANGES: list[Object] = [
    mesh("other", p2p={"enabled": False}, registry={"ttlSeconds": 30}),
    mesh("ground", registry={"ttlSeconds": 20}, p2p={"enabled": False}),
    agent("researcher", instructions="Find better facts.", replicas=3, template={"image": "mine:2"}, **GROUND),
    agent("editor", tools=[{"builtin": "calculator"}], **GROUND),
    agent("nomad", memory={**REMEMBERS, "storage": {"whenDeleted": "Retain"}}, meshRef={"name": "other"}),
    agent("loner", **SHARED),
    agent("lost", replicas=0, **GROUND),
    node("shared", replicas=2, template={"env": FROM_SECRET, "nodeSelector": {"disk": "ssd"}}, **GROUND),
    team("newsroom", "writer", **SHARED),
    agent("writer", instructions="Write better.", description="Writes", **GROUND),
    mesh("ground", registry={"ttlSeconds": 20}),
    secret("openai", **{"api-key": "sk-other", "more": "keys"}),
]

LATER = ("IsekAgent loner", "IsekAgent lost")
PEOPLE = ("IsekAgent researcher", "IsekAgent writer", "IsekAgent editor", "IsekAgent nomad", "IsekTeam newsroom")


async def nothing(_: KubeClient) -> None:
    """Begin with an empty namespace."""


async def create_all(kube: KubeClient) -> None:
    await kube.apply(*EVERYTHING)


async def change_all(kube: KubeClient) -> None:
    await kube.apply(*CHANGES)


def delete_all(order: Callable[[list[Object]], list[Object]]) -> Callable[[KubeClient], Awaitable[None]]:
    """Delete everything that was created, in an order."""

    async def delete(kube: KubeClient) -> None:
        for each in order(EVERYTHING):
            await _delete(kube, each)

    return delete


async def delete_at_once(kube: KubeClient) -> None:
    await asyncio.gather(*(_delete(kube, each) for each in EVERYTHING))


async def delete_and_make_again(kube: KubeClient) -> None:
    """A successor of the same name comes while its predecessor's children are still being collected."""
    for each in EVERYTHING:
        await _delete(kube, each)
    await create_all(kube)


async def _delete(kube: KubeClient, each: Object) -> None:
    try:
        await kube.delete(each["kind"], each["metadata"]["name"])
    except KubeError as error:
        if error.code != 404:
            raise


def _rank(each: Object) -> int:
    return (*KINDS, "Secret").index(each["kind"])


def meshes_first(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=lambda each: (each["kind"] != "IsekMesh", _rank(each)))


def meshes_last(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=lambda each: (each["kind"] == "IsekMesh", -_rank(each)))


SCENARIOS = [
    Scenario(
        "create",
        nothing,
        create_all,
        ready=(*PEOPLE, "IsekAgent loner", "IsekNode shared", "IsekTeam desk"),
        stalled=("IsekAgent lost",),
        writes=110,
    ),
    Scenario(
        "change",
        create_all,
        change_all,
        ready=(*PEOPLE, *LATER, "IsekNode shared", "IsekTeam desk"),
        writes=140,
    ),
    Scenario("delete-meshes-first", create_all, delete_all(meshes_first)),
    Scenario("delete-meshes-last", create_all, delete_all(meshes_last)),
    Scenario("delete-at-once", create_all, delete_at_once),
    Scenario(
        "make-again",
        create_all,
        delete_and_make_again,
        ready=(*PEOPLE, "IsekAgent loner", "IsekNode shared", "IsekTeam desk"),
        stalled=("IsekAgent lost",),
        writes=160,
    ),
]
