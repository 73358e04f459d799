from typing import Any

import pytest
from isek.node.settings import NodeSettings
from isek_operator.decide.workload import Workload
from isek_operator.manifests.pod import pod_template

from tests.unit.manifests.samples import (
    OPENAI,
    SETTINGS,
    a_mesh,
    agent,
    breaches_of_restricted,
    dedicated,
    environment,
    node,
    shared,
    team,
)

HTTP_MESH = a_mesh(p2p={"enabled": False})


def pod_of(workload: Workload) -> dict[str, Any]:
    spec: dict[str, Any] = pod_template(workload, SETTINGS)["spec"]
    return spec


def volume(pod: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((each for each in pod["volumes"] if each["name"] == name), None)


def mounted(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["mountPath"] for each in container["volumeMounts"]}


def test_the_sidecar_starts_before_the_node_and_goes_on_beside_it() -> None:
    pod = pod_of(dedicated(agent()))

    assert [(each["name"], each["restartPolicy"]) for each in pod["initContainers"]] == [("p2p", "Always")]
    assert [each["name"] for each in pod["containers"]] == ["node"]


def test_a_mesh_without_p2p_has_no_sidecar_and_nothing_of_it() -> None:
    pod = pod_of(dedicated(agent(), HTTP_MESH))

    assert "initContainers" not in pod
    assert {each["name"] for each in pod["volumes"]} == {"hosted", "tmp", "etcd-client"}
    assert "ISEK_P2P_ENABLED" not in environment(pod["containers"][0])


def test_the_node_is_told_who_and_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = dedicated(
        agent(limits={"timeoutSeconds": 60}),
        a_mesh(meshID="world", registry={"ttlSeconds": 20}, p2p={"fallback": "HTTP"}),
    )

    told = environment(pod_of(workload)["containers"][0])

    assert told["ISEK_POD_NAME"] == "metadata.name"
    assert told["ISEK_ADVERTISE_HOST"] == "status.podIP"
    assert told["ISEK_NODE_ID"] == "$(ISEK_POD_NAME).newsroom"
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = NodeSettings()
    assert settings.namespace == "newsroom"
    assert settings.mesh_id == "world"
    assert settings.registry_url == "etcds://default-etcd.newsroom.svc:2379"
    assert settings.registry_ttl_seconds == 20
    assert settings.p2p_enabled
    assert settings.p2p_fallback == "HTTP"
    assert settings.drain_seconds == 80


@pytest.mark.parametrize(("outside", "told"), [({"from": "Anyone"}, None), ({"from": "Nobody"}, "Nobody")], ids=str)
def test_a_node_is_told_who_may_look_in_while_it_hosts_nobody(outside: dict[str, str], told: str | None) -> None:
    pod = pod_of(dedicated(agent(), a_mesh(access={"outside": outside})))

    assert environment(pod["containers"][0]).get("ISEK_OUTSIDE") == told


def test_the_environment_of_the_operator_does_not_reach_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISEK_LOG_LEVEL", "debug")

    assert "ISEK_LOG_LEVEL" not in environment(pod_of(dedicated(agent()))["containers"][0])


def test_the_key_of_the_private_network_is_seen_by_the_sidecar_alone() -> None:
    pod = pod_of(dedicated(agent()))
    sidecar = pod["initContainers"][0]

    key = volume(pod, "p2p-key")
    assert key is not None
    assert key["secret"]["secretName"] == "default-p2p"
    assert mounted(sidecar)["p2p-key"] == "/etc/isek/p2p"
    assert environment(sidecar)["ISEK_P2P_PRIVATE_NETWORK_KEY_FILE"] == "/etc/isek/p2p/private-network.key"
    assert "p2p-key" not in mounted(pod["containers"][0])


def test_node_and_sidecar_share_a_folder_in_memory_that_only_the_sidecar_writes() -> None:
    pod = pod_of(dedicated(agent()))
    at_node = next(each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "p2p-state")

    assert volume(pod, "p2p-state") == {"name": "p2p-state", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    assert at_node == {"name": "p2p-state", "mountPath": "/var/run/isek/p2p", "readOnly": True}
    assert mounted(pod["initContainers"][0])["p2p-state"] == "/var/run/isek/p2p"


def test_only_the_keys_that_are_referred_to_are_mounted_and_only_in_the_node() -> None:
    pod = pod_of(dedicated(agent(model=OPENAI)))

    secrets = volume(pod, "secrets")
    assert secrets is not None
    assert secrets["projected"]["sources"] == [
        {"secret": {"name": "openai", "items": [{"key": "api-key", "path": "openai/api-key"}]}}
    ]
    assert mounted(pod["containers"][0])["secrets"] == "/var/run/secrets/isek.io"
    assert "secrets" not in mounted(pod["initContainers"][0])


def test_the_keys_that_tools_need_are_mounted_too() -> None:
    sql = {"sql": {"url": {"secretKeyRef": {"name": "database", "key": "url"}}}}

    secrets = volume(pod_of(dedicated(agent(tools=[sql]))), "secrets")

    assert secrets is not None
    assert secrets["projected"]["sources"] == [
        {"secret": {"name": "database", "items": [{"key": "url", "path": "database/url"}]}}
    ]


def test_a_missing_secret_of_one_agent_does_not_keep_a_shared_node_from_starting() -> None:
    secrets = volume(pod_of(shared(node(), agent("a", model=OPENAI), agent("b", model=OPENAI))), "secrets")

    assert secrets is not None
    assert [each["secret"]["optional"] for each in secrets["projected"]["sources"]] == [True]


def test_a_pod_may_take_as_long_to_end_as_the_longest_run_and_half_a_minute() -> None:
    quick, slow = agent("quick", limits={"timeoutSeconds": 60}), agent("slow", limits={"timeoutSeconds": 600})

    assert pod_of(dedicated(quick))["terminationGracePeriodSeconds"] == 90
    assert pod_of(shared(node(), quick, slow))["terminationGracePeriodSeconds"] == 630
    assert pod_of(shared(node()))["terminationGracePeriodSeconds"] == 330


def test_draining_ends_before_the_pod_is_killed() -> None:
    pod = pod_of(dedicated(agent()))
    container = pod["containers"][0]

    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause == 3
    drain = int(environment(container)["ISEK_DRAIN_SECONDS"])
    assert pause + drain < pod["terminationGracePeriodSeconds"]


def test_a_lost_etcd_makes_a_node_unready_and_never_restarts_it() -> None:
    container = pod_of(dedicated(agent()))["containers"][0]

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_what_the_user_says_about_pods_is_taken_over() -> None:
    template = {
        "image": "mine:1",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"limits": {"memory": "2048Mi"}},
        "env": [{"name": "LANG", "value": "de"}, {"name": "EMPTY", "value": ""}],
        "serviceAccountName": "agents",
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "labels": {"cost-centre": "4711"},
        "annotations": {"note": "hello"},
    }
    built = pod_template(dedicated(agent(template=template)), SETTINGS)
    pod, container = built["spec"], built["spec"]["containers"][0]

    assert container["image"] == "mine:1"
    assert container["resources"] == {"limits": {"memory": "2Gi"}}
    assert container["env"][-2:] == [{"name": "LANG", "value": "de"}, {"name": "EMPTY"}]
    assert built["metadata"]["labels"]["cost-centre"] == "4711"
    assert built["metadata"]["labels"]["isek.io/agent"] == "researcher"
    assert built["metadata"]["annotations"] == {"note": "hello"}
    for field in ("imagePullSecrets", "serviceAccountName", "nodeSelector", "tolerations", "affinity"):
        assert pod[field] == template[field]
    assert pod["topologySpreadConstraints"] == template["topologySpreadConstraints"]


@pytest.mark.parametrize(
    "workload",
    [
        dedicated(agent(model=OPENAI)),
        dedicated(team("newsroom", {"agent": {"name": "writer"}})),
        dedicated(agent(), HTTP_MESH),
        shared(node(), agent(model=OPENAI)),
    ],
    ids=["agent", "team", "without p2p", "node"],
)
def test_a_pod_is_restricted(workload: Workload) -> None:
    assert list(breaches_of_restricted(pod_of(workload))) == []


def test_node_and_sidecar_take_bodies_of_the_same_size() -> None:
    pod = pod_of(dedicated(agent()))
    [sidecar], [container] = pod["initContainers"], pod["containers"]

    own = environment(container).get("ISEK_MAX_BODY_BYTES", str(NodeSettings.model_construct().max_body_bytes))
    assert environment(sidecar)["ISEK_P2P_MAX_BODY_BYTES"] == own
