from isek_operator.manifests.service_account import service_account

from tests.unit.manifests.samples import agent, dedicated, valid


def test_a_workload_has_an_identity_that_brings_no_token() -> None:
    account = valid(service_account(dedicated(agent())))

    assert account["metadata"]["name"] == "researcher-agent"
    assert account["automountServiceAccountToken"] is False
