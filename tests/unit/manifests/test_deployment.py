from typing import Any

import pytest
from isek.api import IsekMesh
from isek_operator.decide.outcome import Manifest
from isek_operator.manifests.deployment import deployment
from isek_operator.manifests.meta import CONFIG_HASH

from tests.unit.manifests.samples import (
    OPENAI,
    SETTINGS,
    a_mesh,
    agent,
    dedicated,
    node,
    shared,
    team,
    valid,
)


def built(owner: Manifest, of_mesh: IsekMesh | None = None) -> Manifest:
    return valid(deployment(dedicated(owner, of_mesh), SETTINGS))


def config_hash(manifest: Manifest) -> str:
    value: str = manifest["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH]
    return value


def test_a_pod_is_replaced_only_once_its_successor_answers() -> None:
    strategy = built(agent())["spec"]["strategy"]

    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_a_memory_in_sqlite_has_its_volume_and_one_pod_at_a_time() -> None:
    spec = built(agent(memory={"provider": "SQLite", "claim": {"name": "remembers"}}))["spec"]
    pod = spec["template"]["spec"]

    assert spec["strategy"]["type"] == "Recreate"
    assert {"name": "memory", "persistentVolumeClaim": {"claimName": "remembers"}} in pod["volumes"]
    assert {"name": "memory", "mountPath": "/var/lib/isek/memory"} in pod["containers"][0]["volumeMounts"]


def test_a_memory_in_sqlite_that_names_no_claim_has_the_one_that_is_made_for_it() -> None:
    spec = built(agent(memory={"provider": "SQLite"}))["spec"]

    claim = {"claimName": "researcher-agent-memory"}
    assert spec["strategy"]["type"] == "Recreate"
    assert {"name": "memory", "persistentVolumeClaim": claim} in spec["template"]["spec"]["volumes"]
    assert spec["template"]["spec"]["securityContext"]["fsGroup"] == 65532, "else root alone may write to it"


def test_the_url_of_a_memory_is_a_file_of_the_node_and_of_nobody_else() -> None:
    memory = {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "uri"}}}
    pod = built(agent(memory=memory))["spec"]["template"]["spec"]

    [secrets] = [volume for volume in pod["volumes"] if volume["name"] == "secrets"]
    assert secrets["projected"]["sources"] == [{"secret": {"name": "db", "items": [{"key": "uri", "path": "db/uri"}]}}]
    assert all(mount["name"] != "secrets" for mount in pod["initContainers"][0]["volumeMounts"])


def test_the_pods_carry_the_label_that_selects_them() -> None:
    spec = built(team("newsroom", {"agent": {"name": "writer"}}))["spec"]

    assert spec["selector"] == {"matchLabels": {"isek.io/team": "newsroom"}}
    assert spec["template"]["metadata"]["labels"]["isek.io/team"] == "newsroom"


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": "Be brief."},
        {"model": OPENAI},
        {"limits": {"timeoutSeconds": 5}},
        {"template": {"image": "mine:2"}},
    ],
)
def test_a_change_of_what_runs_rolls_out(change: dict[str, Any]) -> None:
    assert config_hash(built(agent(**change))) != config_hash(built(agent()))


def test_scaling_changes_no_pod() -> None:
    three = built(agent(replicas=3))

    assert three["spec"]["replicas"] == 3
    assert three["spec"]["template"] == built(agent())["spec"]["template"]


def test_another_key_of_the_private_network_rolls_out() -> None:
    anew = deployment(dedicated(agent(), network_key="another"), SETTINGS)

    assert config_hash(anew) != config_hash(built(agent()))


def test_another_size_of_the_etcd_restarts_no_agent() -> None:
    assert built(agent(), a_mesh(etcd={"replicas": 3})) == built(agent(), a_mesh())


def test_a_node_with_guests_and_without_is_valid() -> None:
    for guests in ([], [agent(model=OPENAI), agent("writer")]):
        valid(deployment(shared(node(replicas=3), *guests), SETTINGS))
