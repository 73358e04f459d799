import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ForbiddenError, TransientError
from isek_operator.kinds import BY_NAME, ApiKind
from isek_operator.reconcile.named_objects import NamedObjects
from isek_operator.reconcile.readings import FOUND_SECONDS, MISSING_SECONDS
from isek_operator.store import Store

Manifest = dict[str, Any]
MODELS = ("ai", "models")


class Server:
    """Knows Services by name, and counts who asks."""

    def __init__(self, known: Mapping[tuple[str, str], Manifest | Exception]) -> None:
        self.known, self.reads = dict(known), 0

    async def get(self, kind: ApiKind, namespace: str, name: str) -> Manifest | None:
        self.reads += 1
        await asyncio.sleep(0)
        found = self.known.get((namespace, name))
        if isinstance(found, Exception):
            raise found
        return found


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def service() -> Manifest:
    metadata = {"name": "models", "namespace": "ai", "uid": "u", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "models"}}}


def reading(server: Server) -> tuple[NamedObjects, Store, Clock]:
    store, clock = Store(), Clock()
    return NamedObjects(BY_NAME["Service"], cast(Client, server), store, clock=clock), store, clock


async def test_a_service_is_read_once_and_again_when_it_is_old() -> None:
    server = Server({MODELS: service()})
    services, store, clock = reading(server)

    assert await services.read({MODELS}) == FOUND_SECONDS
    assert await services.read({MODELS}) == FOUND_SECONDS
    found = store.named("Service", *MODELS)
    assert found is not None
    assert found["spec"] == {"selector": {"app": "models"}}
    assert server.reads == 1

    clock.now = FOUND_SECONDS
    await services.read({MODELS})
    assert server.reads == 2


async def test_one_that_is_missing_is_looked_for_sooner() -> None:
    server = Server({})
    services, store, clock = reading(server)
    assert await services.read({MODELS}) == MISSING_SECONDS
    assert store.named("Service", *MODELS) is None

    server.known[MODELS], clock.now = service(), MISSING_SECONDS
    await services.read({MODELS})

    assert store.named("Service", *MODELS) is not None


async def test_one_that_may_not_be_read_counts_as_missing() -> None:
    services, store, _ = reading(Server({MODELS: ForbiddenError("no")}))

    assert await services.read({MODELS}) == MISSING_SECONDS
    assert store.named("Service", *MODELS) is None


async def test_nobody_takes_one_for_missing_while_another_reads_it() -> None:
    server = Server({MODELS: service()})
    services, store, _ = reading(server)

    async def knows() -> bool:
        await services.read({MODELS})
        return store.named("Service", *MODELS) is not None

    assert all(await asyncio.gather(knows(), knows()))
    assert server.reads == 1


async def test_one_that_could_not_be_read_is_read_at_the_next_try() -> None:
    server = Server({MODELS: TransientError("busy")})
    services, store, _ = reading(server)
    with pytest.raises(TransientError):
        await services.read({MODELS})

    server.known[MODELS] = service()
    await services.read({MODELS})

    assert store.named("Service", *MODELS) is not None


async def test_our_own_are_watched_and_not_read() -> None:
    server = Server({MODELS: service()})
    services, store, _ = reading(server)
    store.put(service())

    assert await services.read({MODELS}) is None
    assert server.reads == 0


async def test_those_that_nobody_names_any_more_are_forgotten() -> None:
    server = Server({MODELS: service()})
    services, store, _ = reading(server)
    await services.read({MODELS})

    services.forget_all_but(set())

    assert store.named("Service", *MODELS) is None


async def test_of_a_config_map_there_are_digests_alone() -> None:
    metadata = {"name": "code", "namespace": "ai", "uid": "u", "resourceVersion": "1"}
    first = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a.py": "secret = 1"}}
    server = Server({("ai", "code"): first})
    store, clock = Store(), Clock()
    code = NamedObjects(BY_NAME["ConfigMap"], cast(Client, server), store, believed=30.0, clock=clock)
    await code.read({("ai", "code")})
    before = store.named("ConfigMap", "ai", "code")

    server.known["ai", "code"], clock.now = {**first, "data": {"a.py": "secret = 2"}}, 30.0
    await code.read({("ai", "code")})
    after = store.named("ConfigMap", "ai", "code")

    assert before is not None
    assert after is not None
    assert before["data"].keys() == after["data"].keys() == {"a.py"}
    assert before != after
    assert "secret" not in str((before, after))
