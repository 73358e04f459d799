from base64 import b64decode
from dataclasses import replace

import pytest
from isek_operator.decide.etcd.view import AgentElsewhere
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.meta import Manifest
from isek_operator.pki import read_certificates
from isek_operator.settings import OperatorSettings

from tests.unit.decide.scene import Scene, finding, with_status
from tests.unit.decide.situations import EXTERNAL
from tests.unit.manifests.samples import NAMESPACE, SETTINGS, agent, environment, mesh, team

EXPOSED = {"expose": {"type": "NodePort", "names": ["192.0.2.4"]}}
TOOLS = [{"agent": {"name": "writer"}}]


def scene_with(*elsewhere: AgentElsewhere) -> Scene:
    """A mesh whose etcd knows of these in other clusters."""
    scene = Scene(mesh(etcd=EXPOSED))
    scene.settle("IsekMesh", "default")
    view = scene.store.etcd(NAMESPACE, "default")
    assert view is not None
    scene.store.put_etcd(NAMESPACE, "default", replace(view, elsewhere=frozenset(elsewhere)))
    return scene


def cluster_of(outcome: Outcome) -> str | None:
    deployment: Manifest = (outcome.wish or ())[-1]
    (node,) = deployment["spec"]["template"]["spec"]["containers"]
    return environment(node).get("ISEK_CLUSTER")


@pytest.mark.parametrize("reference", ["tools", "members"])
def test_who_lives_in_another_cluster_can_be_asked(reference: str) -> None:
    scene = scene_with(AgentElsewhere("IsekAgent", NAMESPACE, "writer"))
    kind, asking = (
        ("IsekAgent", agent("asker", tools=TOOLS))
        if reference == "tools"
        else (
            "IsekTeam",
            team("asker", {"agent": {"name": "writer"}}),
        )
    )

    outcome = scene.put(asking).decide(kind, "asker")

    assert finding(outcome, "ResolvedRefs").status
    assert outcome.wish


@pytest.mark.parametrize(
    "elsewhere",
    [
        AgentElsewhere("IsekTeam", NAMESPACE, "writer"),
        AgentElsewhere("IsekAgent", "press", "writer"),
        AgentElsewhere("IsekAgent", NAMESPACE, "editor"),
    ],
)
def test_who_is_in_no_cluster_is_missed(elsewhere: AgentElsewhere) -> None:
    scene = scene_with(elsewhere).put(team("asker", {"agent": {"name": "writer"}}))

    assert finding(scene.decide("IsekTeam", "asker"), "ResolvedRefs").reason is Reason.AGENT_NOT_FOUND


@pytest.mark.parametrize(("etcd", "asked"), [({}, False), (EXPOSED, True), (EXTERNAL, True)])
def test_other_clusters_are_asked_about_where_there_may_be_some(etcd: Manifest, asked: bool) -> None:
    access = Scene(mesh(etcd=etcd, meshID="world")).decide("IsekMesh", "default").etcd
    assert access is not None

    assert access.others_prefix == ("/isek/world/nodes/" if asked else "")


def test_a_cluster_is_called_as_its_operator_is_told_or_by_what_no_other_has() -> None:
    scene = Scene(mesh(), agent("writer"))
    assert cluster_of(scene.decide("IsekAgent", "writer")) is None

    metadata = {"name": "kube-system", "uid": "1234abcd-5678", "resourceVersion": "9"}
    scene.store.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert cluster_of(scene.decide("IsekAgent", "writer")) == "1234abcd"

    named = OperatorSettings(**{**SETTINGS.model_dump(), "cluster_name": "north"})
    assert cluster_of(scene.decide("IsekAgent", "writer", settings=named)) == "north"


def test_an_exposed_etcd_shows_a_certificate_for_its_outer_names() -> None:
    scene = Scene(mesh())
    scene.settle("IsekMesh", "default")

    scene.put(mesh(etcd={"expose": {"type": "LoadBalancer", "names": ["etcd.example.org", "192.0.2.4"]}}))

    held = scene.secrets.held[NAMESPACE, "default-etcd-server"]
    (shown,) = read_certificates(b64decode(held["data"]["tls.crt"]).decode())
    assert "etcd.example.org" in shown.dns_names
    assert "192.0.2.4" in shown.ip_addresses


def test_where_an_etcd_is_reached_from_outside_is_told() -> None:
    scene = Scene(mesh(etcd={"expose": {"type": "LoadBalancer", "names": ["etcd.example.org"]}}))
    scene.settle("IsekMesh", "default")
    scene.put(with_status(scene.manifest("IsekMesh", "default"), scene.decide("IsekMesh", "default")))

    assert scene.decide("IsekMesh", "default").status["exposed"] == "https://etcd.example.org:2379"
