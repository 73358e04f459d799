"""What is counted, as Prometheus reads it."""

from isek_operator.metrics import Metrics
from prometheus_client import generate_latest


def test_nothing_is_said_about_a_mesh_that_is_gone() -> None:
    metrics = Metrics()
    for mesh in ("ground", "other"):
        metrics.etcd_members.labels("newsroom", mesh, "voter").set(3)
        metrics.etcd_db_bytes.labels("newsroom", mesh).set(4096)
        metrics.certificate_expiry.labels("newsroom", mesh, f"{mesh}-etcd-client").set(1)

    metrics.forget_mesh("newsroom", "ground")

    exposed = generate_latest(metrics.registry).decode()
    assert 'mesh="ground"' not in exposed
    assert exposed.count('mesh="other"') == 3
