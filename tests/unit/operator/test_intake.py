"""Which objects become due when something is observed."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Self

import pytest
from isek.api import Resource
from isek_operator.decide.world import World
from isek_operator.intake import Intake
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, WorkQueue
from isek_operator.store import Store

from tests.support.waiting import until

Manifest = dict[str, Any]
WRITER = Key("IsekAgent", "newsroom", "writer")
TEAM = Key("IsekTeam", "newsroom", "news")


def dependents(
    kind: str, namespace: str, name: str, before: Resource | None, world: World
) -> Iterable[tuple[str, str, str]]:
    return [TEAM]


class Observed:
    """An intake, and what it makes due."""

    def __init__(self) -> None:
        self._queue, self._seen = WorkQueue(Metrics()), set[Key]()
        self.intake = Intake(Store(), self._queue, dependents)
        self.intake.begin()
        self._queue.start(self._handle, workers=1)

    async def _handle(self, key: Key) -> Done:
        self._seen.add(key)
        return Done()

    async def due(self) -> set[Key]:
        """Return what became due since the last call."""
        await until(lambda: self._queue.idle, what="the queue is empty")
        seen, self._seen = self._seen, set()
        return seen

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._queue.stop(grace=1)


@pytest.fixture
async def observed() -> AsyncIterator[Observed]:
    async with Observed() as observed:
        yield observed


def namespace(version: int, **labels: str) -> Manifest:
    metadata = {"name": "newsroom", "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


async def test_only_the_labels_of_a_namespace_concern_somebody(observed: Observed) -> None:
    observed.intake.observed(namespace(1, team="press"))
    assert await observed.due() == {TEAM}

    observed.intake.observed(namespace(2, team="press"))
    assert await observed.due() == set()

    observed.intake.observed(namespace(3, team="lab"))
    assert await observed.due() == {TEAM}


def manifest(kind: str, name: str, version: int, *, metadata: Manifest | None = None, **more: Any) -> Manifest:
    basic = {"name": name, "namespace": "newsroom", "uid": f"{name}-uid", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": kind, "metadata": {**basic, **(metadata or {})}, **more}


def agent(version: int, *, generation: int = 1, ready: str = "False", **status: Any) -> Manifest:
    condition = {"type": "Ready", "status": ready, "reason": "RollingOut", "observedGeneration": generation}
    status = {"conditions": [condition], **status}
    spec = {"model": {"provider": "Echo"}}
    return manifest("IsekAgent", "writer", version, metadata={"generation": generation}, spec=spec, status=status)


def child(version: int, owner: str = "writer") -> Manifest:
    reference = {"apiVersion": "isek.io/v1alpha1", "kind": "IsekAgent", "name": owner, "uid": f"{owner}-uid"}
    return manifest("ConfigMap", "any", version, metadata={"ownerReferences": [{**reference, "controller": True}]})


async def test_a_new_resource_is_due_with_all_that_may_look_at_it(observed: Observed) -> None:
    observed.intake.observed(agent(1))
    assert await observed.due() == {WRITER, TEAM}


async def test_counts_in_a_status_concern_nobody_else_but_becoming_ready_does(observed: Observed) -> None:
    observed.intake.observed(agent(1))
    await observed.due()

    observed.intake.observed(agent(2, readyReplicas=1))
    assert await observed.due() == {WRITER}
    observed.intake.observed(agent(3, ready="True"))
    assert await observed.due() == {WRITER, TEAM}


async def test_another_address_of_a_relay_concerns_others(observed: Observed) -> None:
    observed.intake.observed(manifest("IsekMesh", "default", 1, status={"relays": ["/ip4/192.0.2.1/tcp/9000"]}))
    await observed.due()

    observed.intake.observed(manifest("IsekMesh", "default", 2, status={"relays": ["/ip4/192.0.2.2/tcp/9000"]}))

    assert TEAM in await observed.due()


async def test_who_wrote_it_is_not_due_because_of_it(observed: Observed) -> None:
    observed.intake.observed(agent(1))
    await observed.due()
    observed.intake.observed(agent(2, ready="True"), WRITER)
    assert await observed.due() == {TEAM}


async def test_a_successor_of_the_same_name_is_due_even_when_its_predecessors_status_made_it_known(
    observed: Observed,
) -> None:
    observed.intake.observed(agent(1))
    await observed.due()
    successor = agent(5)
    successor["metadata"]["uid"] = "another"
    observed.intake.observed(successor, WRITER)
    assert WRITER in await observed.due()


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"generation": 2},
        {"labels": {"isek.io/made-by-default": "true"}},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_what_others_changed_and_the_answer_to_the_authors_write_tells_first_makes_the_author_due(
    observed: Observed, meanwhile: Manifest
) -> None:
    observed.intake.observed(agent(1))
    await observed.due()
    answer = agent(3, ready="True")
    answer["metadata"] |= meanwhile
    observed.intake.observed(answer, WRITER)
    assert await observed.due() == {WRITER, TEAM}


async def test_a_specification_that_the_answer_to_the_authors_write_tells_first_makes_the_author_due(
    observed: Observed,
) -> None:
    observed.intake.observed(agent(1))
    await observed.due()
    observed.intake.observed({**agent(3), "spec": {"model": {"provider": "OpenAI"}}}, WRITER)
    assert WRITER in await observed.due()


async def test_a_child_makes_its_owner_due_when_it_comes_changes_and_goes(observed: Observed) -> None:
    for version in (1, 2):
        observed.intake.observed(child(version))
        assert await observed.due() == {WRITER}
    observed.intake.gone(Key("ConfigMap", "newsroom", "any"), 3)
    assert await observed.due() == {WRITER}


async def test_a_child_that_changes_its_owner_concerns_both(observed: Observed) -> None:
    observed.intake.observed(child(1))
    await observed.due()
    observed.intake.observed(child(2, owner="editor"))
    assert await observed.due() == {WRITER, Key("IsekAgent", "newsroom", "editor")}


async def test_a_pod_of_an_etcd_concerns_its_mesh(observed: Observed) -> None:
    observed.intake.observed(manifest("Pod", "default-etcd-0", 1, metadata={"labels": {"isek.io/mesh": "default"}}))
    assert await observed.due() == {Key("IsekMesh", "newsroom", "default")}


@pytest.mark.parametrize(("label", "kind"), [("isek.io/mesh", "IsekMesh"), ("isek.io/agent", "IsekAgent")])
async def test_a_volume_claim_concerns_whom_it_is_labelled_with_whoever_owns_it(
    observed: Observed, label: str, kind: str
) -> None:
    observed.intake.observed(manifest("PersistentVolumeClaim", "any", 1, metadata={"labels": {label: "writer"}}))
    assert await observed.due() == {Key(kind, "newsroom", "writer")}


async def test_what_is_already_known_makes_nobody_due(observed: Observed) -> None:
    observed.intake.observed(child(5))
    await observed.due()
    observed.intake.observed(child(5))
    observed.intake.observed(child(4))
    assert await observed.due() == set()


async def test_what_a_list_does_not_hold_makes_its_owner_due(observed: Observed) -> None:
    observed.intake.observed(child(1))
    await observed.due()
    observed.intake.listed("ConfigMap", [], 9, ())
    assert await observed.due() == {WRITER}
