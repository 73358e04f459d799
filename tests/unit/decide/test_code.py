"""Agents whose code is in a ConfigMap, and agents that their nodes cannot build."""

from typing import Any

import pytest
from isek_operator.decide.etcd.view import BrokenAgent, EtcdView
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.decide.upgrade import config_hash

from tests.unit.decide.scene import Scene, finding
from tests.unit.manifests.samples import ECHO, NAMESPACE, agent, coded, mesh, node


def deployment(outcome: Outcome) -> dict[str, Any]:
    return next(each for each in outcome.wish or () if each["kind"] == "Deployment")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "ConfigMap 'poets' does not exist in namespace 'newsroom'; create it, or fix spec.code.configMapRef"),
        ({"prose": ""}, "ConfigMap 'poets' has no key 'poets.py'; add the file, or fix spec.code.entrypoint"),
    ],
)
def test_code_that_is_not_there_is_named_and_holds_up_the_roll_out(files: dict[str, str] | None, message: str) -> None:
    scene = Scene(mesh(), coded())
    if files is not None:
        scene.put_code("poets", **files)

    outcome = scene.decide("IsekAgent", "poet")

    assert outcome.wish is None
    assert finding(outcome, "ResolvedRefs").reason is Reason.CODE_NOT_FOUND
    assert finding(outcome, "Ready").message == message


def test_the_files_are_mounted_to_be_read_only() -> None:
    spec = deployment(Scene(mesh(), coded()).put_code("poets", poets="").decide("IsekAgent", "poet"))["spec"]

    pod = spec["template"]["spec"]
    assert {"name": "code-0", "configMap": {"name": "poets"}} in pod["volumes"]
    assert {"name": "code-0", "mountPath": "/var/run/isek/code/poets", "readOnly": True} in pod["containers"][0][
        "volumeMounts"
    ]


def test_a_change_of_a_file_rolls_out() -> None:
    scene = Scene(mesh(), coded()).put_code("poets", poets="a = 1", metre="b = 1")
    before = deployment(scene.bring_about("IsekAgent", "poet"))

    changed = deployment(scene.put_code("poets", poets="a = 1", metre="b = 2").decide("IsekAgent", "poet"))
    back = deployment(scene.put_code("poets", poets="a = 1", metre="b = 1").decide("IsekAgent", "poet"))

    assert config_hash(changed) != config_hash(before)
    assert config_hash(back) == config_hash(before)


def test_on_a_shared_node_who_misses_its_code_keeps_nobody_from_running() -> None:
    scene = Scene(mesh(), node(), coded(nodeRef={"name": "shared"}), agent("writer", nodeRef={"name": "shared"}))

    without = scene.decide("IsekNode", "shared")
    refused = scene.decide("IsekAgent", "poet")
    scene.put_code("poets", poets="")
    hosting = scene.decide("IsekNode", "shared")

    assert "poet" not in str(without.wish)
    assert "writer" in str(without.wish)
    assert finding(refused, "Ready").reason is Reason.CODE_NOT_FOUND
    volumes = deployment(hosting)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "code-0", "configMap": {"name": "poets", "optional": True}} in volumes


def test_code_in_the_image_needs_no_config_map() -> None:
    of_image = {**coded(), "spec": {"code": {"entrypoint": "poets.verse:poet"}, "template": {"image": "poets:1"}}}

    outcome = Scene(mesh(), of_image).decide("IsekAgent", "poet")

    container = deployment(outcome)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "poets:1"
    assert not any(each["name"].startswith("code") for each in container["volumeMounts"])
    assert finding(outcome, "ResolvedRefs").status


def test_an_agent_of_code_may_reach_the_model_that_the_sdk_takes_by_default() -> None:
    def egress(manifest: dict[str, Any]) -> str:
        wish = Scene(mesh(), manifest).put_code("poets", poets="").decide("IsekAgent", "poet").wish
        return str(next(each for each in wish or () if each["kind"] == "NetworkPolicy")["spec"]["egress"])

    assert "443" in egress(coded())
    assert "443" not in egress(agent("poet", model=ECHO))


COMPLAINT = "/var/run/isek/code/poets/poets.py, line 1: ModuleNotFoundError: No module named 'rhymes'"


def complain(scene: Scene, name: str, config_hash: str | None) -> None:
    broken = BrokenAgent("IsekAgent", NAMESPACE, name, config_hash or "", COMPLAINT)
    scene.store.put_etcd(NAMESPACE, "default", EtcdView(0.0, quorum=True, broken=frozenset({broken})))


def test_whom_its_node_cannot_build_says_why_and_its_pods_are_left_to_roll_out() -> None:
    scene = Scene(mesh(), coded()).put_code("poets", poets="import rhymes")
    complain(scene, "poet", config_hash(deployment(scene.decide("IsekAgent", "poet"))))

    outcome = scene.decide("IsekAgent", "poet")

    assert finding(outcome, "Ready").status is False
    assert finding(outcome, "Stalled").reason is Reason.AGENT_INVALID
    assert finding(outcome, "Stalled").message == COMPLAINT
    assert finding(outcome, "ResolvedRefs").status
    assert deployment(outcome)


def test_what_pods_of_before_cannot_build_counts_no_more() -> None:
    scene = Scene(mesh(), coded()).put_code("poets", poets="import rhymes")
    complain(scene, "poet", config_hash(deployment(scene.decide("IsekAgent", "poet"))))

    mended = scene.put_code("poets", poets="").bring_about("IsekAgent", "poet")

    assert finding(mended, "Ready").status


def test_the_neighbours_of_one_that_cannot_be_built_are_ready() -> None:
    on_shared: dict[str, Any] = {"nodeRef": {"name": "shared"}}
    scene = Scene(mesh(), node(), coded(**on_shared), agent("writer", **on_shared)).put_code("poets", poets="")
    scene.settle("IsekNode", "shared")
    complain(scene, "poet", config_hash(deployment(scene.decide("IsekNode", "shared"))))

    poet, writer = scene.decide("IsekAgent", "poet"), scene.decide("IsekAgent", "writer")

    assert finding(poet, "Ready").reason is Reason.AGENT_INVALID
    assert finding(writer, "Ready").status


def test_an_operator_that_has_just_begun_takes_nobody_back_to_ready_before_it_has_heard_the_nodes() -> None:
    scene = Scene(mesh(), node(), coded(nodeRef={"name": "shared"})).put_code("poets", poets="")
    scene.settle("IsekNode", "shared")
    complain(scene, "poet", config_hash(deployment(scene.decide("IsekNode", "shared"))))
    scene.settle("IsekAgent", "poet")

    scene.store.put_etcd(NAMESPACE, "default", None)
    begun = scene.decide("IsekAgent", "poet")
    scene.store.put_etcd(NAMESPACE, "default", EtcdView(0.0, quorum=True, broken=frozenset()))
    heard = scene.decide("IsekAgent", "poet")

    assert (finding(begun, "Ready").reason, finding(begun, "Ready").message) == (Reason.AGENT_INVALID, COMPLAINT)
    assert begun.look_again_after is not None
    assert finding(heard, "Ready").status
    assert heard.look_again_after is None


def test_an_agent_of_which_a_tool_has_changed_says_so_and_is_ready_without_it() -> None:
    scene = Scene(mesh(), agent("writer"))
    ready = scene.bring_about("IsekAgent", "writer")
    said = BrokenAgent("IsekAgent", NAMESPACE, "writer", config_hash(deployment(ready)) or "", "search changed", True)
    scene.store.put_etcd(NAMESPACE, "default", EtcdView(0.0, quorum=True, broken=frozenset({said})))

    outcome = scene.decide("IsekAgent", "writer")

    assert finding(outcome, "Ready").status
    refs = finding(outcome, "ResolvedRefs")
    assert (refs.status, refs.reason, refs.message) == (False, Reason.TOOLS_CHANGED, "search changed")
