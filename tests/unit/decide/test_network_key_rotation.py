"""Replacing the key of a private network: what is done, when, and what is said meanwhile."""

from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from isek.api import KINDS
from isek.processes.network_key import fingerprints, new_private_network_key
from isek_operator.decide.etcd.view import EtcdView, NodeKeys
from isek_operator.decide.outcome import Finding, Manifest, NetworkKeyStep, Outcome
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import Scene, finding, live
from tests.unit.manifests.samples import NAMESPACE, agent, mesh

SPREAD = timedelta(seconds=180)
PODS = ("newsroom/a", "newsroom/b", "press/c", "press/d", "press/e")


def with_rotation(number: int, **spec: Any) -> dict[str, Any]:
    return mesh(p2p={"privateNetworkKey": {"rotation": number}}, **spec)


class Rotating:
    """A mesh that runs, and whose nodes take up keys when they are told to."""

    def __init__(self) -> None:
        self.scene = Scene(mesh(), agent())
        self.scene.settle("IsekMesh", "default")
        self.nodes = dict.fromkeys(PODS, self.accepted)
        self._generation = 0
        self.look()

    @property
    def keys(self) -> str:
        data = self.scene.secrets.held[NAMESPACE, "default-p2p"]["data"]
        return b64decode(data["private-network.key"]).decode()

    @property
    def accepted(self) -> tuple[str, ...]:
        return fingerprints(self.keys)

    def ask_for(self, rotation: int) -> None:
        """Without any of what follows from it."""
        self._generation += 1
        manifest = with_rotation(rotation)
        metadata = {**manifest["metadata"], "resourceVersion": str(10**6 + self._generation)}
        self.scene.store.put({**manifest, "metadata": metadata})

    def take_up(self, *pods: str) -> None:
        self.nodes.update(dict.fromkeys(pods or PODS, self.accepted))
        self.look()

    def look(self) -> None:
        """The operator asks etcd."""
        view = self.scene.store.etcd(NAMESPACE, "default")
        assert view is not None
        said = frozenset(NodeKeys(*each) for each in self.nodes.items())
        self.scene.store.put_etcd(
            NAMESPACE, "default", replace(view, node_keys=said, observed_at=self.scene.now.timestamp())
        )

    def wait(self) -> None:
        self.scene.now += SPREAD
        self.look()

    def decide(self) -> Outcome:
        return self.scene.decide("IsekMesh", "default")

    def step(self) -> str | None:
        """The step that is decided, taken; None: there is none."""
        (secret,) = [each for each in self.decide().secrets if each.manifest["metadata"]["name"] == "default-p2p"]
        if not secret.renew:
            return None
        assert isinstance(secret.renewal, NetworkKeyStep)
        for written in self.scene.secrets.write([secret]):
            self.scene.put(live(written))
        return secret.renewal.step

    @property
    def deployment(self) -> Manifest:
        wish = self.scene.decide("IsekAgent", "researcher").wish or ()
        (found,) = [each for each in wish if each["kind"] == "Deployment"]
        return found

    @property
    def said(self) -> Finding:
        return finding(self.decide(), "NetworkKeyCurrent")


def test_a_key_that_nobody_wants_replaced_is_in_use_and_stays() -> None:
    rotating = Rotating()
    rotating.wait()

    assert rotating.step() is None
    assert rotating.said == Finding(
        "NetworkKeyCurrent",
        True,
        Reason.NETWORK_KEY_IN_USE,
        f"the private network key with fingerprint {rotating.accepted[0]} is in use",
    )
    access = rotating.decide().etcd
    assert access is not None
    assert access.nodes_prefix == ""


def test_a_key_is_replaced_in_three_steps_each_after_all_nodes_have_taken_up_the_one_before() -> None:
    rotating = Rotating()
    (former,) = rotating.accepted
    rotating.ask_for(1)

    assert rotating.step() == "Add"
    assert rotating.accepted[0] == former
    latest = rotating.accepted[1]
    rotating.wait()
    assert rotating.step() is None
    rotating.take_up()
    assert rotating.step() == "Prefer"
    assert rotating.accepted == (latest, former)
    rotating.wait()
    assert rotating.step() is None
    rotating.take_up()
    assert rotating.step() == "Drop"
    assert list(rotating.accepted) == [latest]
    assert rotating.step() is None
    assert rotating.said.status
    assert rotating.decide().status["privateNetworkKeys"] == [latest]


def test_the_pods_are_not_made_anew() -> None:
    rotating = Rotating()
    before = rotating.deployment
    rotating.ask_for(1)
    rotating.step()

    assert rotating.deployment == before


def test_one_node_that_lags_behind_holds_up_the_step_and_is_named() -> None:
    rotating = Rotating()
    rotating.ask_for(7)
    rotating.step()
    rotating.take_up(*PODS[1:])
    rotating.wait()

    assert rotating.step() is None
    assert rotating.said == Finding(
        "NetworkKeyCurrent",
        False,
        Reason.NETWORK_KEY_ROTATING,
        "rotation 7 of the private network key, step 1 of 3: sidecars take up the new key beside the former one; "
        "4 of 5 nodes have; waiting for newsroom/a",
    )
    rotating.take_up("newsroom/a")
    rotating.step()
    rotating.wait()
    assert rotating.said.message == (
        "rotation 7 of the private network key, step 2 of 3: sidecars begin to dial with the new key; "
        "0 of 5 nodes have; waiting for newsroom/a, newsroom/b, press/c and others"
    )


def test_a_node_of_an_older_version_which_says_nothing_holds_up_the_step() -> None:
    rotating = Rotating()
    rotating.ask_for(1)
    rotating.step()
    rotating.take_up()
    rotating.nodes["press/e"] = ()
    rotating.wait()

    assert rotating.step() is None
    assert rotating.said.message.endswith("4 of 5 nodes have; waiting for press/e")


def test_no_step_is_taken_before_a_secret_is_surely_in_pods_that_are_just_starting() -> None:
    rotating = Rotating()
    rotating.ask_for(1)
    rotating.step()
    rotating.take_up()

    assert rotating.step() is None
    assert "pods that are just starting" in rotating.said.message
    assert rotating.decide().look_again_after == SPREAD.total_seconds()
    rotating.scene.now += SPREAD
    assert rotating.step() is None, "who started meanwhile has to be asked, too"
    rotating.look()
    assert rotating.step() == "Prefer"


def test_while_etcd_does_not_say_what_nodes_have_nothing_is_done() -> None:
    rotating = Rotating()
    rotating.ask_for(1)
    rotating.step()
    rotating.take_up()
    rotating.wait()
    rotating.scene.store.put_etcd(NAMESPACE, "default", EtcdView(rotating.scene.now.timestamp(), quorum=False))

    assert rotating.step() is None
    assert "it is read from etcd" in rotating.said.message


def test_a_mesh_without_nodes_gets_its_new_key_all_the_same() -> None:
    rotating = Rotating()
    rotating.nodes.clear()
    rotating.ask_for(1)

    steps = []
    for _ in range(3):
        steps.append(rotating.step())
        rotating.wait()

    assert steps == ["Add", "Prefer", "Drop"]


def test_another_rotation_that_is_asked_for_meanwhile_begins_when_the_first_has_ended() -> None:
    rotating = Rotating()
    rotating.ask_for(1)
    rotating.step()
    rotating.ask_for(2)

    steps = []
    for _ in range(5):
        rotating.take_up()
        rotating.wait()
        steps.append(rotating.step())

    assert steps == ["Prefer", "Drop", "Add", "Prefer", "Drop"]
    assert rotating.said.status


def test_nodes_are_asked_only_while_somebody_waits_for_them() -> None:
    rotating = Rotating()
    rotating.ask_for(1)
    rotating.step()

    access = rotating.decide().etcd

    assert access is not None
    assert (access.nodes_prefix, access.settled) == ("/isek/newsroom.default/nodes/", False)


def test_a_new_mesh_begins_with_the_key_that_is_asked_for() -> None:
    scene = Scene(with_rotation(5))

    scene.settle("IsekMesh", "default")

    assert finding(scene.decide("IsekMesh", "default"), "NetworkKeyCurrent").status


@pytest.mark.parametrize("data", [{"private-network.key": b64encode(b"secret").decode()}, {"other": "eA=="}, {}])
def test_a_key_that_somebody_spoiled_or_removed_is_named(data: dict[str, str]) -> None:
    rotating = Rotating()
    held = rotating.scene.secrets.held[NAMESPACE, "default-p2p"]
    rotating.scene.put(live({**held, "data": data}))

    outcome = rotating.decide()

    assert finding(outcome, "ResolvedRefs").reason is Reason.SECRET_INVALID
    assert finding(outcome, "ResolvedRefs").message.endswith("Delete it, and a new one is made")
    current = finding(outcome, "NetworkKeyCurrent")
    assert (current.status, current.reason) == (False, Reason.SECRET_INVALID)
    assert "Secret 'default-p2p' holds no private network key" in current.message


@pytest.mark.parametrize("step", ["Add", "Prefer", "Drop"])
def test_who_is_asked_for_a_step_changes_nothing_but_the_order_and_one_key(step: Any) -> None:
    rotating = Rotating()
    first, second = new_private_network_key(), new_private_network_key()
    held = rotating.scene.secrets.held[NAMESPACE, "default-p2p"]
    held["data"]["private-network.key"] = b64encode((first + second).encode()).decode()

    made = rotating.scene.secrets.made(NetworkKeyStep("default-p2p", "private-network.key", step), NAMESPACE)

    keys = fingerprints(b64decode(made["private-network.key"] or "").decode())
    one, other = fingerprints(first + second)
    assert {"Add": keys[:2], "Prefer": keys, "Drop": keys}[step] == {
        "Add": (one, other),
        "Prefer": (other, one),
        "Drop": (one,),
    }[step]
    assert len(keys) == {"Add": 3, "Prefer": 2, "Drop": 1}[step]


def test_who_gives_the_key_is_told_that_rotation_is_not_for_it() -> None:
    with pytest.raises(ValueError, match="whoever gives the key replaces it"):
        KINDS["IsekMesh"].model_validate(mesh(p2p={"privateNetworkKey": {"secretName": "shared", "rotation": 1}}))
