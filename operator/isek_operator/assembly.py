"""The whole operator: its parts, put together and run."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import kopf
from isek.api import Resource
from prometheus_client import ProcessCollector

from isek_operator.census import Census
from isek_operator.cluster.client import Client
from isek_operator.cluster.credentials import Credentials
from isek_operator.cluster.errors import ApiError
from isek_operator.cluster.events import Recorder
from isek_operator.cluster.lease import Lease
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.upgrade import revision
from isek_operator.decide.world import World
from isek_operator.handlers import watches
from isek_operator.health import endpoints
from isek_operator.intake import Dependents, Intake
from isek_operator.leadership import Elected, Leadership, Unopposed, own_identity
from isek_operator.manifests.meta import MANAGER
from isek_operator.metrics import Metrics
from isek_operator.queue import WorkQueue
from isek_operator.reconcile.engine import Engine
from isek_operator.reconcile.etcd_observer import EtcdObserver
from isek_operator.reconcile.etcd_steps import EtcdSteps
from isek_operator.reconcile.synchroniser import Synchroniser
from isek_operator.settings import PREFIX, OperatorSettings
from isek_operator.signals import end_on_signals
from isek_operator.store import Store
from isek_operator.turns import Turns

START_SECONDS = 120.0
"""How long the API server may take to answer at start."""
START_RETRY_SECONDS = 2.0
GRACE_SECONDS = 3.0
"""For runs under way when the operator is told to end."""

logger = logging.getLogger(__name__)


class StartError(Exception):
    """The operator cannot start; the message says what to do."""


async def run(
    settings: OperatorSettings,
    credentials: Credentials,
    decide: Callable[[Resource, World], Outcome],
    dependents: Dependents,
) -> None:
    """Work until it is cancelled, which SIGTERM and SIGINT do.

    Raises:
        StartError: the API server does not answer or does not let us in; a port is in use.
        LeadershipDeniedError: the Lease cannot be used.
        LeadershipLostError: another operator is, or may be, the active one now.
    """
    end_on_signals()
    metrics, store = Metrics(), Store()
    metrics.registry.register(Census(store))
    ProcessCollector(registry=metrics.registry)
    queue = WorkQueue(metrics)
    intake = Intake(store, queue, dependents)
    synchronised = asyncio.Event()
    async with AsyncExitStack() as stack:
        await _serve(stack, settings, metrics, synchronised, queue)
        leadership = await _candidate(stack, settings, credentials, metrics)
        client = await stack.enter_async_context(Client(credentials, metrics, may_write=lambda: leadership.held))
        recorder = Recorder(client, metrics)
        turns = Turns(store, queue.add, metrics, revision=revision(settings), most=settings.max_concurrent_upgrades)
        observer = EtcdObserver(client, store, metrics, due=queue.add)
        stack.push_async_callback(observer.stop)
        engine = Engine(
            decide=decide,
            store=store,
            intake=intake,
            client=client,
            recorder=recorder,
            turns=turns,
            metrics=metrics,
            etcds=EtcdSteps(client, store, recorder, observer),
        )
        synchroniser = Synchroniser(
            client=client,
            intake=intake,
            metrics=metrics,
            namespaces=settings.watch_namespaces,
            filled=synchronised,
            swept=engine.forget_unused,
        )
        await _check(synchroniser, credentials)

        async def lead() -> None:
            await synchronised.wait()
            logger.info("read the cluster at %s", credentials.server)
            # from here on it stands by, and is up to date when its time comes
            await leadership.acquire()
            metrics.leader.set(1)
            intake.begin()
            await leadership.hold()

        stack.push_async_callback(leadership.release)
        background = [asyncio.create_task(each) for each in (synchroniser.run(), recorder.run(), lead())]
        stack.push_async_callback(_cancel, background)
        queue.start(engine.handle, workers=settings.workers)
        stack.push_async_callback(_stop, queue, leadership)
        whole = asyncio.current_task()
        assert whole is not None  # noqa: S101
        for task in background:
            # such a task has no end of its own
            task.add_done_callback(lambda done: done.cancelled() or whole.cancel())
        try:
            await _watch(settings, watches.registry(credentials, synchroniser, settings.watch_namespaces))
        finally:
            for task in background:
                if task.done() and not task.cancelled():
                    task.result()  # raises


async def _candidate(
    stack: AsyncExitStack, settings: OperatorSettings, credentials: Credentials, metrics: Metrics
) -> Elected:
    if not settings.lease_namespace:
        return Unopposed()
    # connections of its own: a renewal does not queue up behind everything else
    client = await stack.enter_async_context(Client(credentials, metrics))
    return Leadership(Lease(client, settings.lease_namespace, settings.lease_name), own_identity())


async def _watch(settings: OperatorSettings, registry: kopf.OperatorRegistry) -> None:
    ours = asyncio.all_tasks()
    watching = await kopf.spawn_tasks(
        registry=registry,
        settings=watches.settings(),
        standalone=True,
        # only peering uses it; Kopf would ask the system for a user name, which an image does not have
        identity=MANAGER,  # type: ignore[arg-type]  # a NewType that Kopf does not export
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
    )
    end_on_signals()
    await kopf.run_tasks(watching, ignored=ours)


async def _stop(queue: WorkQueue, leadership: Elected) -> None:
    await queue.stop(grace=GRACE_SECONDS if leadership.held else 0)


async def _serve(
    stack: AsyncExitStack,
    settings: OperatorSettings,
    metrics: Metrics,
    synchronised: asyncio.Event,
    queue: WorkQueue,
) -> None:
    ports = {"health_port": settings.health_port, "metrics_port": settings.metrics_port}
    try:
        await stack.enter_async_context(endpoints(metrics, synchronised.is_set, lambda: queue.longest_wait, **ports))
    except OSError as error:
        raise StartError(
            f"cannot listen: {error.strerror}; set {PREFIX}HEALTH_PORT and {PREFIX}METRICS_PORT to free ports"
        ) from None


async def _check(synchroniser: Synchroniser, credentials: Credentials) -> None:
    began = time.monotonic()
    while True:
        try:
            await synchroniser.check()
        except ApiError as error:
            if time.monotonic() - began > START_SECONDS:
                raise StartError(f"the cluster at {credentials.server} cannot be read: {error}") from None
            logger.warning("cannot read the cluster at %s yet: %s", credentials.server, error)
            await asyncio.sleep(START_RETRY_SECONDS)
        else:
            return


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
