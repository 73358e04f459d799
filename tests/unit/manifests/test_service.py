from isek_operator.manifests.service import etcd_client_service, etcd_peer_service, workload_service

from tests.unit.manifests.samples import a_mesh, agent, dedicated, valid


def test_a_workload_answers_at_one_address() -> None:
    service = valid(workload_service(dedicated(agent())))

    assert service["metadata"]["name"] == "researcher-agent"
    assert service["spec"]["selector"] == {"isek.io/agent": "researcher"}
    assert service["spec"]["ports"] == [
        {"name": "http", "port": 8080, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"},
        {"name": "grpc", "port": 8082, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
    ]


def test_etcd_answers_at_one_address() -> None:
    service = valid(etcd_client_service(a_mesh()))

    assert service["metadata"]["name"] == "default-etcd"
    assert [port["port"] for port in service["spec"]["ports"]] == [2379]
    assert service["spec"]["selector"] == {"isek.io/mesh": "default"}


def test_members_find_each_other_before_they_are_ready() -> None:
    spec = valid(etcd_peer_service(a_mesh()))["spec"]

    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True
