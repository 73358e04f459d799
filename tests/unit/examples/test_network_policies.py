"""What the policies of the examples let through: all that their agents do, and nothing that nobody asked for."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from isek.api import KINDS
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.references import Hosted, node_name, peer_references

from tests.support.policies import Network, Pod
from tests.unit.decide.scene import Scene
from tests.unit.manifests.samples import NAMESPACE, mesh, resource

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDERS = ("quickstart", "quickstart-openai", "shared-node", "memory")
PUBLIC, PRIVATE, METADATA = "93.184.216.34", "10.0.0.1", "169.254.169.254"
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})


@dataclass(frozen=True)
class Example:
    """An example as it runs: its pods by the custom resource that they belong to, and what may reach what."""

    scene: Scene
    pods: dict[tuple[str, str], Pod]
    network: Network

    def pod_of(self, hosted: Hosted) -> Pod:
        """Where an agent or a team runs."""
        host = node_name(hosted)
        return self.pods["IsekNode", host] if host else self.pods[hosted.kind, hosted.name]

    def hosted(self) -> list[Hosted]:
        found = [each for kind in ("IsekAgent", "IsekTeam") for each in self.scene.store.resources(kind, NAMESPACE)]
        return [each for each in found if isinstance(each, Hosted)]


def template(manifest: Manifest) -> Pod:
    return Pod(NAMESPACE, manifest["spec"]["template"]["metadata"]["labels"])


@pytest.fixture(params=FOLDERS)
def example(request: pytest.FixtureRequest) -> Example:
    folder = EXAMPLES / request.param
    documents = [each for path in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    custom = [resource(each["kind"], each["metadata"]["name"], each["spec"]) for each in documents]
    scene = Scene(
        mesh(),
        *(each for each in custom if each["kind"] in KINDS),
        secrets={"openai": ("api-key",), "concierge-db": ("uri",)},
    )
    pods: dict[tuple[str, str], Pod] = {}
    policies: list[Manifest] = []
    for kind in KINDS:
        for key in tuple(scene.store.keys(kind)):
            wish = scene.bring_about(kind, key.name).wish or ()
            policies += [each for each in wish if each["kind"] == "NetworkPolicy"]
            for each in wish:
                if each["kind"] in {"Deployment", "StatefulSet"}:
                    pods[kind, key.name] = template(each)
    assert len(policies) == len(pods)
    return Example(scene, pods, Network(policies))


def test_every_agent_reaches_those_whom_it_asks(example: Example) -> None:
    for hosted in example.hosted():
        for peer in peer_references(hosted):
            asked = example.scene.store.resource(peer.kinds[0], peer.namespace, peer.name)
            assert isinstance(asked, Hosted)
            assert example.network.allows(example.pod_of(hosted), example.pod_of(asked), 9000)


def test_every_pod_reaches_etcd_and_dns(example: Example) -> None:
    etcd = example.pods["IsekMesh", "default"]
    for pod in example.pods.values():
        assert example.network.allows(pod, etcd, 2379)
        assert example.network.allows(pod, DNS, 53, "UDP")


def test_the_internet_is_reached_by_those_whose_model_is_there(example: Example) -> None:
    asking = {
        id(example.pod_of(each))
        for each in example.hosted()
        if each.kind == "IsekAgent" and each.to_manifest()["spec"]["model"]["provider"] == "OpenAI"
    }
    for pod in example.pods.values():
        assert example.network.allows(pod, PUBLIC, 443) is (id(pod) in asking)
        assert not example.network.allows(pod, PUBLIC, 80)


def test_no_pod_reaches_what_is_private_or_somebody_elses(example: Example) -> None:
    for pod in example.pods.values():
        for target in (PRIVATE, METADATA, Pod("lab", pod.labels), Pod(NAMESPACE, {"app": "database"})):
            assert not example.network.allows(pod, target, 443)


def test_nobody_elsewhere_reaches_a_pod(example: Example) -> None:
    for pod in example.pods.values():
        for port in (2379, 2380, 8080, 9000, 9001):
            assert not example.network.allows(Pod("lab", {"app": "curious"}), pod, port)
            assert not example.network.allows(PUBLIC, pod, port)
