"""One run: what it says is about the object that it judged."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from isek.api import Resource
from isek_operator.cluster.children import with_hash
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError, ConflictError, ForbiddenError, UnauthorizedError
from isek_operator.cluster.events import Recorder
from isek_operator.decide.outcome import Finding, Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.decide.world import World
from isek_operator.intake import Intake
from isek_operator.keys import Key
from isek_operator.kinds import ApiKind
from isek_operator.metrics import Metrics
from isek_operator.queue import Done, Retry, WorkQueue
from isek_operator.reconcile.engine import Engine
from isek_operator.reconcile.etcd_observer import EtcdObserver
from isek_operator.reconcile.etcd_steps import EtcdSteps
from isek_operator.store import Store
from isek_operator.turns import Turns

from tests.unit.manifests.samples import OPENAI, coded, node

Manifest = dict[str, Any]
WRITER = Key("IsekAgent", "newsroom", "writer")
ROLLING = Finding("Ready", False, Reason.ROLLING_OUT, "0 of 1 pods answer")
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "writer", "namespace": "newsroom"}}


def child(manifest: Manifest, *, version: int = 7) -> Manifest:
    """The manifest as the agent's."""
    controller = {"apiVersion": "isek.io/v1alpha1", "kind": "IsekAgent", "name": "writer", "uid": "first"}
    owned = {"uid": "a-child", "resourceVersion": str(version), "ownerReferences": [{**controller, "controller": True}]}
    return {**manifest, "metadata": {**manifest["metadata"], **owned}}


class Patches:
    """An API server that takes every patch, and keeps it; a child is there of which no watch has told yet."""

    def __init__(self, store: Store) -> None:
        self.store, self.taken = store, list[Manifest]()
        self.refusal: ApiError | None = None
        self.rejection: ApiError = ConflictError("it is there")
        self.read, self.applied = list[str](), 0

    async def apply_new(self, _kind: ApiKind, _manifest: Manifest) -> Manifest:
        raise self.rejection

    async def apply(self, _kind: ApiKind, manifest: Manifest, *, uid: str) -> Manifest:
        self.applied += 1
        return child({**manifest, "data": {"changed": "by a webhook"}}, version=100 + self.applied)

    async def get(self, kind: ApiKind, _namespace: str, name: str) -> Manifest:
        self.read.append(name)
        return {"data": {"api-key": "c2VjcmV0"}} if kind.kind == "Secret" else child(with_hash(CONFIG_MAP))

    async def merge(self, _kind: ApiKind, key: Key, change: Manifest, *, subresource: str) -> Manifest:
        self.taken.append(change)
        live = self.store.get(key)
        assert live is not None
        if self.refusal is not None:
            raise self.refusal
        metadata = {**live["metadata"], "resourceVersion": str(98 + len(self.taken))}
        return {**live, **change, "metadata": metadata}


class Run:
    """The engine, with something that happens while it decides."""

    def __init__(self, meanwhile: Callable[[Store], object] = lambda _: None, *wish: Manifest) -> None:
        self.metrics = metrics = Metrics()
        self.store = Store()
        intake = Intake(self.store, WorkQueue(metrics), lambda *_: ())
        self.patches = Patches(self.store)
        self.store.put(agent(1))

        def decide(_resource: Resource, _world: World) -> Outcome:
            meanwhile(self.store)
            children = len(self.store.children("first"))
            status = {"children": children}
            return Outcome(
                findings=(ROLLING,), status=status, wish=wish or None, certificates={"writer-tls": 1767225600}
            )

        client = cast(Client, self.patches)
        recorder = Recorder(client, metrics)
        self.engine = Engine(
            decide=decide,
            store=self.store,
            intake=intake,
            client=client,
            recorder=recorder,
            etcds=EtcdSteps(
                client, self.store, recorder, EtcdObserver(client, self.store, metrics, due=lambda _: None)
            ),
            turns=Turns(self.store, lambda _: None, metrics, revision="this", most=1),
            metrics=metrics,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )


def agent(version: int, *, generation: int = 1, uid: str = "first") -> Manifest:
    metadata = {"name": "writer", "namespace": "newsroom", "uid": uid, "generation": generation}
    return {
        "apiVersion": "isek.io/v1alpha1",
        "kind": "IsekAgent",
        "metadata": {**metadata, "resourceVersion": str(version)},
        "spec": {"model": {"provider": "Echo"}},
    }


async def test_a_status_names_the_generation_that_was_judged_and_not_one_that_came_meanwhile() -> None:
    run = Run(lambda store: store.put(agent(2, generation=2)))

    await run.engine.reconcile(WRITER)

    [patch] = run.patches.taken
    assert patch["status"]["observedGeneration"] == 1
    assert {condition["observedGeneration"] for condition in patch["status"]["conditions"]} == {1}


async def test_a_successor_of_the_same_name_gets_no_status_of_its_predecessor_and_is_looked_at_again() -> None:
    run = Run(lambda store: store.put(agent(2, uid="second")))

    with pytest.raises(ConflictError):
        await run.engine.reconcile(WRITER)

    assert run.patches.taken == []


async def test_a_status_is_for_the_version_that_is_known_only() -> None:
    run = Run()

    await run.engine.reconcile(WRITER)

    assert run.patches.taken[0]["metadata"] == {"resourceVersion": "1"}


async def test_a_child_that_was_there_unknown_counts_in_the_status() -> None:
    run = Run(lambda _: None, CONFIG_MAP)

    await run.engine.reconcile(WRITER)

    assert run.patches.taken[0]["status"]["children"] == 1


async def test_a_secret_that_was_read_is_forgotten_once_nobody_refers_to_it() -> None:
    run = Run()
    run.store.put({**agent(2), "spec": {"model": OPENAI}})
    for _ in range(2):
        await run.engine.reconcile(WRITER)
        run.engine.forget_unused()
    assert (run.patches.read, run.store.secret("newsroom", "openai")) == (["openai"], {"api-key": None})

    run.store.put(agent(100))
    run.engine.forget_unused()
    assert run.store.secret("newsroom", "openai") is None

    run.store.put({**agent(101), "spec": {"model": OPENAI}})
    await run.engine.reconcile(WRITER)
    assert run.patches.read == ["openai", "openai"]


async def test_the_code_of_neighbours_on_a_node_is_known_before_anything_is_decided() -> None:
    on_shared: dict[str, Any] = {"nodeRef": {"name": "shared"}}
    run = Run()
    for other in (node(), coded(**on_shared), {**agent(2), "spec": {**agent(2)["spec"], **on_shared}}):
        run.store.put({**other, "metadata": {"namespace": "newsroom", "resourceVersion": "2", **other["metadata"]}})

    assert await run.engine.reconcile(WRITER) == ("success", Done(None))

    assert run.store.named("ConfigMap", "newsroom", "poets") is not None


async def test_a_child_that_does_not_keep_its_wish_is_not_written_again_until_it_is_another() -> None:
    run = Run(lambda _: None, {**CONFIG_MAP, "data": {"wanted": "so"}})
    run.store.put(child(CONFIG_MAP))
    for _ in range(2):
        await run.engine.reconcile(WRITER)
        run.engine.forget_unused()
    assert run.patches.applied == 1

    run.store.drop(Key("ConfigMap", "newsroom", "writer"), version=200)
    run.engine.forget_unused()
    run.store.put(child(CONFIG_MAP, version=201))
    await run.engine.reconcile(WRITER)
    assert run.patches.applied == 2


async def test_a_child_that_is_refused_is_logged_once_for_each_answer_and_counted_as_blocked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = Run(lambda _: None, CONFIG_MAP)
    refused = "ConfigMap 'writer' was refused by the API server"
    for answer in ("quota exceeded", "quota exceeded", "denied by a webhook"):
        run.patches.rejection = ForbiddenError(answer)
        assert await run.engine.handle(WRITER) == Done(look_again_after=30)

    assert caplog.messages == [f"{refused}: quota exceeded", f"{refused}: denied by a webhook"]
    labels = {"kind": "IsekAgent", "result": "blocked"}
    assert run.metrics.registry.get_sample_value("isek_operator_reconcile_total", labels) == 3


async def test_who_is_not_let_in_comes_back_within_seconds() -> None:
    run = Run()
    run.patches.refusal = UnauthorizedError("Unauthorized")

    assert await run.engine.handle(WRITER) == Retry(at_most=5)


async def test_it_is_counted_when_a_certificate_expires() -> None:
    run = Run()
    run.store.put({**agent(1), "kind": "IsekMesh", "spec": {}})

    await run.engine.reconcile(Key("IsekMesh", "newsroom", "writer"))

    expires = run.metrics.registry.get_sample_value(
        "isek_operator_certificate_expiry_timestamp_seconds",
        {"namespace": "newsroom", "mesh": "writer", "secret": "writer-tls"},
    )
    assert expires == 1767225600
