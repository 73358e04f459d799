"""What becomes of resources depends on their last specifications, not on the way there.

Hypothesis draws edits over the CRDs' schemas: accepted and refused ones, deletions, and children that somebody spoils.
"""

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.faults.choice import ALL
from tests.faults.end_state import State, comparable, difference
from tests.faults.run import Ground
from tests.faults.scenarios import EVERYTHING, secret
from tests.faults.specifications import NAMES, broken, specification
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import CHILD_KINDS, resource
from tests.support.kube import KubeClient, KubeError, Object
from tests.support.waiting import until

WITHIN = 60.0
explored = settings(
    max_examples=60 if ALL else 5,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(1800 if ALL else 300)

REFUSALS = {400, 404, 409, 422, 500}
"""500: "failed to create typed patch object", which is how an apply of another shape is refused."""

Kinds = st.sampled_from(sorted(NAMES))
Edit = tuple[str, str, str, Object | None]
"""What is done (apply, delete, spoil, remove a child, settle), to which kind and name, with which specification."""


@functools.cache
def edits(kind: str) -> st.SearchStrategy[Edit]:
    name = st.sampled_from(NAMES[kind])
    applied = st.tuples(st.just("apply"), st.just(kind), name, specification(kind))
    refused = st.tuples(st.just("apply"), st.just(kind), name, broken(kind))
    others = st.tuples(st.sampled_from(("delete", "spoil", "remove", "settle")), st.just(kind), name, st.none())
    return st.one_of(applied, applied, applied, refused, others)


@dataclass
class Place:
    """A namespace, and the specifications that the API server took there."""

    ground: Ground
    kube: KubeClient
    wanted: dict[tuple[str, str], Object] = field(default_factory=dict)

    async def edit(self, edit: Edit) -> None:
        what, kind, name, spec = edit
        try:
            if what == "apply":
                await self.kube.apply(resource(kind, name, **(spec or {})))
                self.wanted[kind, name] = spec or {}
            elif what == "delete":
                await self.kube.delete(kind, name)
                self.wanted.pop((kind, name), None)
            elif what == "settle":
                await until(self.judged, within=WITHIN, what="everything is judged")
            else:
                await self._harm(f"{name}-{kind.removeprefix('Isek').lower()}", remove=what == "remove")
        except KubeError as error:
            if error.code not in REFUSALS:
                raise
            note(f"{what} {kind} {name}: {error}")

    async def judged(self) -> bool:
        for kind in NAMES:
            for found in await self.kube.list(kind):
                if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                    return False
        return True

    async def state(self) -> State:
        return comparable(
            [each for kind in sorted(self.ground.busy) for each in await self.kube.list(kind)], self.kube.namespace
        )

    async def _harm(self, name: str, *, remove: bool) -> None:
        """Do to all children of a name what nobody should do."""
        for kind in CHILD_KINDS:
            if kind == "Secret" or await self.kube.find(kind, name) is None:
                continue
            if remove:
                await self.kube.delete(kind, name)
            else:
                await self.kube.patch(kind, name, {"metadata": {"labels": None}, **SPOILED.get(kind, {})})


# what every wish has: what somebody adds beyond it is theirs, and stays
SPOILED: dict[str, Object] = {
    "Deployment": {"spec": {"replicas": 7, "template": {"spec": {"terminationGracePeriodSeconds": 7}}}},
    "ConfigMap": {"data": {"hosted.yaml": "[]\n"}},
    "Service": {"spec": {"selector": {"app": "another"}}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 7}},
}


@pytest.fixture(scope="module")
async def place(ground: Ground) -> AsyncIterator["Places"]:
    """One operator for all namespaces."""
    log = ground.folder / "exploration.log"
    operator = OperatorProcess(ground.user.kubeconfig, log)
    operator.process = ground.nursery.process(operator.environment, log)
    async with operator:
        yield Places(ground, operator)
    assert "Traceback" not in log.read_text()


@dataclass(repr=False)
class Places:
    """Makes new namespaces."""

    ground: Ground
    operator: OperatorProcess

    async def new(self) -> Place:
        name = f"explore-{secrets.token_hex(4)}"
        await self.ground.control_plane.kube.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        )
        kube = self.ground.control_plane.kube.in_namespace(name)
        await kube.apply(secret("openai", **{"api-key": "sk-nothing"}))
        return Place(self.ground, kube)

    async def until_equal(self, walked: Place, straight: Place) -> None:
        before: tuple[State, State] = ({}, {})

        async def equal() -> bool:
            nonlocal before
            then, before = before, (await walked.state(), await straight.state())
            different = difference(*map(promised, before))
            assert not different, "\n".join(different)
            return then == before and await walked.judged() and await self.operator.metric("workqueue_depth") == 0

        await until(equal, within=WITHIN, what="both are the same", poll=0.3)

    async def until_settled(self, place: Place) -> State:
        await self.until_equal(place, place)
        return await place.state()


@explored
@given(walk=st.lists(Kinds.flatmap(edits), min_size=3, max_size=14))
async def test_the_end_state_depends_on_the_last_specifications_alone(place: Places, walk: list[Edit]) -> None:
    walked, straight = await asyncio.gather(place.new(), place.new())
    for edit in walk:
        await walked.edit(edit)
    for (kind, name), spec in walked.wanted.items():
        await straight.edit(("apply", kind, name, spec))
    assert straight.wanted == walked.wanted

    await place.until_equal(walked, straight)


@explored
@given(walk=st.lists(Kinds.flatmap(edits), min_size=1, max_size=5))
async def test_a_change_that_is_rolled_back_is_rolled_back(place: Places, walk: list[Edit]) -> None:
    there, reference = await asyncio.gather(place.new(), place.new())
    await asyncio.gather(there.kube.apply(*EVERYTHING), reference.kube.apply(*EVERYTHING))
    await asyncio.gather(place.until_settled(there), place.until_settled(reference))

    for edit in walk:
        await there.edit(edit)
    await until(there.judged, within=WITHIN, what="the changes are judged")
    for kind, name in there.wanted.keys() - {(each["kind"], each["metadata"]["name"]) for each in EVERYTHING}:
        await there.edit(("delete", kind, name, None))
    await there.kube.apply(*EVERYTHING)

    await place.until_equal(there, reference)


@explored
@given(walk=st.lists(Kinds.flatmap(edits), min_size=4, max_size=10))
async def test_what_is_wrong_harms_nothing_that_is_healthy(place: Places, walk: list[Edit]) -> None:
    there = await place.new()
    await there.kube.apply(*EVERYTHING)
    healthy = {name: it for name, it in (await place.until_settled(there)).items() if "shared" not in name}

    # none of the names in EVERYTHING that others hang on
    for what, kind, name, spec in walk:
        if what == "apply" and kind in {"IsekAgent", "IsekTeam"}:
            await there.edit((what, kind, f"bad-{name}", {**(spec or {}), "nodeRef": {"name": "nowhere"}}))

    after = await place.until_settled(there)
    kept = {name: after.get(name) for name in healthy}
    assert not difference(healthy, kept)


def promised(state: State) -> State:
    """Leave out what may hang on the way: what came before a mistake goes on running until it is mended.

    Of a resource with a mistake its reasons are compared, not its children; likewise of a node that hosts such a one.
    """
    mistaken = {name for name, found in state.items() if _stalled(found)}
    hosts = {f"IsekNode {_node(state[name])}" for name in mistaken}
    kept = {name: found for name, found in state.items() if not mistaken & {name, _owner(found)} - {""}}
    kept = {name: found for name, found in kept.items() if not hosts & {name, _owner(found)} - {""}}
    return {
        **{name: _without_managers(found) for name, found in kept.items()},
        **{
            name: [c["reason"] for c in state[name]["status"]["conditions"] if c["type"] == "Ready"]
            for name in mistaken
        },
    }


def _stalled(found: Object) -> bool:
    return found["kind"] in NAMES and any(
        each["type"] == "Stalled" for each in found.get("status", {}).get("conditions", ())
    )


def _node(found: Object) -> str:
    return str(found["spec"].get("nodeRef", {}).get("name", ""))


def _owner(found: Object) -> str:
    owners = found["metadata"].get("ownerReferences", ())
    return next((f"{owner['kind']} {owner['name']}" for owner in owners), "")


def _without_managers(found: Object) -> Object:
    metadata = {name: value for name, value in found["metadata"].items() if name not in {"managers", "generation"}}
    return {**found, "metadata": metadata}
