"""One scenario in a namespace of its own, with an operator of its own behind a proxy of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from isek.api import KINDS

from tests.faults.end_state import State, comparable, difference, orphans
from tests.faults.scenarios import Scenario
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS
from tests.support.control_plane import ControlPlane, User
from tests.support.control_plane_process import ProcessFailedError
from tests.support.fault_proxy import FaultProxy, NoFaults, Schedule
from tests.support.kube import KubeClient, Object
from tests.support.operator_nursery import STEPS_TOLD_TO, Nursery
from tests.support.waiting import until

SETTLED_SECONDS = 90.0
POLL_SECONDS = 0.3


@dataclass(repr=False)
class Ground:
    """What all runs share."""

    control_plane: ControlPlane
    user: User
    """With the rights that the chart gives the operator."""
    nursery: Nursery
    folder: Path
    kinds: Sequence[str]
    """All kinds of objects that a namespace can hold."""
    busy: set[str] = field(default_factory=lambda: {*KINDS, *CHILD_KINDS})
    """Those that the operator makes, as far as is known."""


class Run:
    """An operator that is started again whenever it ends, as a kubelet would."""

    def __init__(self, ground: Ground, name: str, *, everywhere: bool = False, **environment: str) -> None:
        """``everywhere``: it looks after all namespaces, not only its own. ``environment``: more of its variables."""
        self.namespace = f"{name}-{secrets.token_hex(4)}"
        self.kube: KubeClient = ground.control_plane.kube.in_namespace(self.namespace)
        self.deaths: list[str] = []
        """How the operator ended though nobody killed it."""
        self.lives = 0
        self._ground = ground
        self._killed = False
        self._watched, self._environment = "" if everywhere else self.namespace, environment
        self._log = ground.folder / f"{self.namespace}.log"
        self.proxy = FaultProxy(ground.control_plane.direct_url, ground.control_plane.ca, self._kill)
        self.operator: OperatorProcess

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Run"]:
        """Make the namespace, start the operator, and end it. What goes wrong is told with its story."""
        admin = self._ground.control_plane.kube
        await admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        async with self.proxy:
            self.operator = OperatorProcess(self._kubeconfig(), self._log, watch_namespaces=self._watched)
            own = {**self.operator.environment, **self._environment}
            environment = {**own, STEPS_TOLD_TO: f"http://127.0.0.1:{self.proxy.port}"}
            self.operator.process = self._ground.nursery.process(environment, self._log)
            await self.operator.start()
            keeper = asyncio.create_task(self._keep_alive())
            try:
                yield self
                self._assert_sound()
            except Exception as error:
                raise AssertionError(f"{error}\n{self.story()}") from error
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
                await self.operator.kill()

    async def settled(self) -> State:
        """Wait until every custom resource is judged, nothing is due, and nothing changes; return what there is."""
        last: State = {}

        async def same_again() -> State | None:
            nonlocal last
            before, last = last, await self.state()
            return last if last == before and await self._quiet() else None

        return await until(same_again, within=SETTLED_SECONDS, what="all is settled", poll=POLL_SECONDS)

    async def reaches(self, wanted: State) -> None:
        """Wait until the namespace is in this state."""

        async def reached() -> bool:
            different = difference(wanted, await self.state())
            assert not different, "\n".join(different)
            return True

        what = "the state is that of the run without faults"
        await until(reached, within=SETTLED_SECONDS, what=what, poll=POLL_SECONDS)

    async def state(self) -> State:
        """Return what there is, of the kinds that were ever seen in a settled namespace."""
        return comparable(await self._objects(self._ground.busy), self.namespace)

    async def restart(self) -> None:
        """Kill the operator, and wait until it has read the cluster again."""
        lives = self.lives
        await self._kill()
        await until(lambda: self.lives > lives, within=SETTLED_SECONDS, what="the operator runs again")

    async def rests(self) -> None:
        """A fresh operator finds nothing to write, and nothing has lost its owner or cannot go."""
        self.proxy.schedule = NoFaults()
        before = self.proxy.writes
        await self.restart()
        resources = sum([len(await self.kube.list(kind)) for kind in KINDS])
        await self.operator.until_reconciled(resources)
        assert self.proxy.writes == before, "\n".join(self.proxy.journal[-5:])
        left = orphans(await self._objects(self._ground.busy))
        assert not left, left

    def _assert_sound(self) -> None:
        """The operator never ended by itself, and logged no fault."""
        assert not self.deaths, self.deaths
        assert "Traceback" not in self._log.read_text()
        assert "ClusterRole" not in self._log.read_text()

    def story(self) -> str:
        """What the operator wrote, what went wrong, and the end of its log."""
        log = self._log.read_text(errors="replace").splitlines()[-40:]
        return "\n".join(["--- writes and faults", *self.proxy.journal[-60:], "--- log", *log])

    async def _quiet(self) -> bool:
        for kind in KINDS:
            for found in await self.kube.list(kind):
                status, name = found.get("status", {}), f"{kind} {found['metadata']['name']}"
                assert status.get("observedGeneration") == found["metadata"]["generation"], f"{name} was not judged"
                moving = [each["message"] for each in status["conditions"] if each["type"] == "Reconciling"]
                assert not moving or kind == "IsekMesh", f"{name}: {moving}"  # no etcd runs here, and none will
        objects = await self._objects(self._ground.kinds)
        self._ground.busy.update(found["kind"] for found in objects)
        left = orphans(objects)
        assert not left, left
        return await self.operator.metric("workqueue_depth") == 0

    async def _objects(self, kinds: Iterable[str]) -> list[Object]:
        return [found for kind in sorted(kinds) for found in await self.kube.list(kind)]

    async def _kill(self) -> None:
        self._killed = True
        await self.operator.kill()

    async def _keep_alive(self) -> None:
        while True:
            await until(lambda: not self.operator.process.running, within=1e9, what="it ends")
            if not self._killed:
                self.deaths.append(self._log.read_text()[-2000:])
            self._killed = False
            with suppress(ProcessFailedError):
                await self.operator.start()
                self.lives += 1

    def _kubeconfig(self) -> Path:
        cluster = {"server": f"http://127.0.0.1:{self.proxy.port}"}
        path = self._ground.folder / f"{self.namespace}.kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "proxy",
                    "clusters": [{"name": "proxy", "cluster": cluster}],
                    "users": [{"name": "operator", "user": {"token": self._ground.user.token}}],
                    "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
                }
            )
        )
        return path


async def run_without_faults(ground: Ground, scenario: Scenario) -> tuple[State, int]:
    """Return the end state that all runs of the scenario have to reach, and the writes that led to it."""
    async with Run(ground, scenario.name).running() as run:
        await scenario.before(run.kube)
        await run.settled()
        writes = run.proxy.writes
        await scenario.act(run.kube)
        state = await run.settled()
        writes = run.proxy.writes - writes
        await run.rests()
    return state, writes


async def run_with_faults(ground: Ground, scenario: Scenario, schedule: Schedule, wanted: State) -> None:
    """Check that the faults change nothing of the end state."""
    async with Run(ground, scenario.name).running() as run:
        await scenario.before(run.kube)
        await run.settled()
        run.proxy.writes, run.proxy.schedule = 0, schedule
        await scenario.act(run.kube)
        await run.reaches(wanted)
        await run.rests()
        await run.reaches(wanted)
