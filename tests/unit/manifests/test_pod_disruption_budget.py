from isek_operator.manifests.pod_disruption_budget import etcd_disruption_budget, workload_disruption_budget

from tests.unit.manifests.samples import a_mesh, agent, dedicated, valid


def test_a_drain_takes_one_pod_at_a_time_and_never_waits_for_a_broken_one() -> None:
    spec = valid(workload_disruption_budget(dedicated(agent())))["spec"]

    assert spec == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"isek.io/agent": "researcher"}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def test_a_drain_leaves_etcd_its_quorum() -> None:
    spec = valid(etcd_disruption_budget(a_mesh(etcd={"replicas": 3})))["spec"]

    assert spec == {"maxUnavailable": 1, "selector": {"matchLabels": {"isek.io/mesh": "default"}}}
