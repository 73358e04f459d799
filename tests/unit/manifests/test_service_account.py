from isek_operator.manifests.etcd import etcd_name
from isek_operator.manifests.service_account import etcd_service_account, workload_service_account

from tests.unit.manifests.samples import a_mesh, agent, an_etcd, dedicated, valid


def test_a_workload_has_an_identity_that_brings_no_token() -> None:
    account = valid(workload_service_account(dedicated(agent())))

    assert account["metadata"]["name"] == "researcher-agent"
    assert account["automountServiceAccountToken"] is False


def test_etcd_runs_under_an_identity_of_its_own_that_brings_no_token() -> None:
    mesh = a_mesh()
    account = valid(etcd_service_account(mesh))
    pod = an_etcd(mesh)["spec"]["template"]["spec"]

    assert account["metadata"]["name"] == pod["serviceAccountName"] == etcd_name(mesh)
    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False
