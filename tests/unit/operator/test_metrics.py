"""What is counted, as Prometheus reads it."""

from isek_operator.census import Census
from isek_operator.metrics import Metrics
from isek_operator.metrics_reference import described
from prometheus_client import generate_latest

from tests.unit.decide.scene import Scene
from tests.unit.manifests.samples import agent, mesh


def test_nothing_is_said_about_a_mesh_that_is_gone() -> None:
    metrics = Metrics()
    for name in ("ground", "other"):
        metrics.etcd_members.labels("newsroom", name, "voter").set(3)
        metrics.etcd_db_bytes.labels("newsroom", name).set(4096)
        metrics.certificate_expiry.labels("newsroom", name, f"{name}-etcd-client").set(1)

    metrics.forget_mesh("newsroom", "ground")

    exposed = generate_latest(metrics.registry).decode()
    assert 'mesh="ground"' not in exposed
    assert exposed.count('mesh="other"') == 3


def test_nothing_is_said_about_a_certificate_that_a_mesh_has_no_more() -> None:
    metrics = Metrics()
    metrics.certificates_expire("newsroom", "other", {"other-etcd-ca": 1})
    metrics.certificates_expire("newsroom", "ground", {"ground-etcd-ca": 1, "ground-etcd-client": 2})

    metrics.certificates_expire("newsroom", "ground", {})  # somebody else runs its etcd now

    exposed = generate_latest(metrics.registry).decode()
    assert 'mesh="ground"' not in exposed
    assert 'secret="other-etcd-ca"' in exposed


def test_resources_are_counted_by_kind_and_by_the_status_of_each_condition() -> None:
    scene = Scene(mesh(), agent("writer"), agent("editor"))
    scene.settle("IsekMesh", "default")
    scene.settle("IsekAgent", "writer")
    metrics = Metrics()
    metrics.registry.register(Census(scene.store))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"isek_operator_{name}", labels)

    assert value("objects", kind="IsekAgent") == 2
    assert value("objects", kind="IsekTeam") == 0
    assert value("conditions", kind="IsekAgent", condition="Ready", status="True") == 1
    assert value("conditions", kind="IsekAgent", condition="Ready", status="False") is None


def test_each_metric_is_named_as_prometheus_wants_it_and_described_in_a_sentence() -> None:
    metrics = list(described())

    assert len(metrics) > 20
    for metric in metrics:
        assert metric.name.startswith(("isek_operator_", "workqueue_"))
        assert metric.help.endswith(".")
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds")
