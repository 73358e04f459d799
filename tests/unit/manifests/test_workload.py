from isek_operator.manifests.workload import workload_manifests

from tests.unit.manifests.samples import SETTINGS, agent, dedicated, valid


def test_what_pods_need_is_made_before_them() -> None:
    built = [valid(each) for each in workload_manifests(dedicated(agent()), SETTINGS)]

    assert [each["kind"] for each in built] == [
        "ConfigMap",
        "ServiceAccount",
        "Service",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "Deployment",
    ]
    assert {each["metadata"]["name"] for each in built} == {"researcher-agent"}


def test_a_service_account_of_the_users_takes_the_place_of_ours() -> None:
    built = workload_manifests(dedicated(agent(template={"serviceAccountName": "agents"})), SETTINGS)

    assert "ServiceAccount" not in [each["kind"] for each in built]
    assert built[-1]["spec"]["template"]["spec"]["serviceAccountName"] == "agents"
