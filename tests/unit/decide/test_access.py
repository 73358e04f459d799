"""Who may call: what an agent says, what its mesh says for all, and what both need."""

from typing import Any

import pytest
import yaml
from isek_operator.decide.destinations import Public, destinations
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.config_map import config_map
from isek_operator.manifests.deployment import deployment
from isek_operator.manifests.pod import pod_template

from tests.unit.decide.scene import Scene, finding
from tests.unit.manifests.samples import SETTINGS, a_mesh, agent, dedicated, mesh, node, shared

TOKENS = {"from": "Authenticated", "tokensSecret": {"name": "callers"}}
JWT = {
    "from": "Authenticated",
    "jwt": {"issuer": "https://issuer.test", "audiences": ["isek"], "jwksURL": "https://issuer.test:8443/keys"},
}
NEIGHBOURS = {"from": "Namespace"}


def told(own: dict[str, Any] | None, of_mesh: dict[str, Any] | None) -> Any:
    owner = agent() if own is None else agent(access=own)
    workload = dedicated(owner, a_mesh() if of_mesh is None else a_mesh(access=of_mesh))
    return yaml.safe_load(config_map(workload)["data"]["hosted.yaml"])["spec"].get("access")


def volumes(*hosted: dict[str, Any], of_mesh: dict[str, Any] | None = None) -> dict[str, Any]:
    workload = shared(node(), *hosted, of_mesh=a_mesh(access=of_mesh) if of_mesh else a_mesh())
    spec = pod_template(workload, SETTINGS)["spec"]
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    return {mounts[each["name"]]: each["secret"] for each in spec["volumes"] if each["name"].startswith("tokens-")}


def test_nothing_said_is_nothing_told() -> None:
    assert told(None, None) is None


def test_what_an_agent_leaves_out_is_as_its_mesh_has_it() -> None:
    assert told(None, {"outside": TOKENS})["outside"]["tokensSecret"] == {"name": "callers"}
    assert told({"agents": NEIGHBOURS}, {"outside": TOKENS}) == {"agents": NEIGHBOURS, "outside": TOKENS}


def test_the_own_word_of_an_agent_wins() -> None:
    own = {"agents": NEIGHBOURS, "outside": {"from": "Nobody"}}

    assert told(own, {"agents": {"from": "Mesh"}, "outside": TOKENS}) == own


def test_a_node_mounts_the_tokens_of_all_that_it_hosts_whole() -> None:
    own = agent("writer", access={"outside": {**TOKENS, "tokensSecret": {"name": "writers"}}})

    found = volumes(agent("researcher"), own, agent("editor"), of_mesh={"outside": TOKENS})

    assert found == {
        f"/var/run/secrets/isek.io-access/{name}": {"secretName": name, "defaultMode": 0o440, "optional": True}
        for name in ("callers", "writers")
    }


def test_without_tokens_there_is_no_volume_for_them() -> None:
    assert volumes(agent("researcher", access={"agents": NEIGHBOURS})) == {}


@pytest.mark.parametrize(
    ("own", "of_mesh", "whose"),
    [({"outside": TOKENS}, {}, ""), ({}, {"outside": TOKENS}, " of IsekMesh 'default'")],
    ids=["own", "mesh"],
)
def test_tokens_that_are_not_there_are_asked_for(own: dict[str, Any], of_mesh: dict[str, Any], whose: str) -> None:
    scene = Scene(mesh(access=of_mesh), agent(access=own))

    ready = finding(scene.decide("IsekAgent", "researcher"), "Ready")

    assert ready.reason is Reason.SECRET_NOT_FOUND
    assert ready.message == (
        "Secret 'callers' does not exist in namespace 'newsroom'; "
        f"create it, or fix spec.access.outside.tokensSecret{whose}"
    )
    scene.store.put_read_secret("newsroom", "callers", {})
    assert finding(scene.decide("IsekAgent", "researcher"), "ResolvedRefs").status


def test_an_agent_that_says_who_may_call_needs_a_mesh_that_can_tell_who_calls() -> None:
    scene = Scene(mesh(p2p={"enabled": False}), agent(access={"agents": NEIGHBOURS}))

    outcome = scene.decide("IsekAgent", "researcher")

    assert finding(outcome, "Stalled").reason is Reason.CALLERS_UNKNOWN
    assert "IsekMesh 'default' has p2p.enabled: false" in finding(outcome, "Ready").message


@pytest.mark.parametrize(("own", "of_mesh"), [({"outside": JWT}, {}), ({}, {"outside": JWT})], ids=["own", "mesh"])
def test_the_keys_of_an_issuer_may_be_fetched(own: dict[str, Any], of_mesh: dict[str, Any]) -> None:
    scene = Scene(mesh(access=of_mesh), agent(access=own))

    assert destinations([scene.resource("IsekAgent", "researcher")], scene.store) == {Public(8443)}


def test_what_a_mesh_says_for_all_is_rolled_out_at_once() -> None:
    def annotations(**spec: Any) -> Any:
        return deployment(dedicated(agent(), a_mesh(**spec)), SETTINGS)["metadata"]["annotations"]

    assert annotations() == annotations(allowedNamespaces={"from": "All"})
    assert annotations() != annotations(access={"outside": TOKENS})
