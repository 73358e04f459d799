"""The program: its settings, its start without a cluster, its end."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent
from tests.support.control_plane import KubeClient, User


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "isek_operator.main"]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("name", "value"), [("WORKERS", "many"), ("LOG_FORMAT", "Pretty"), ("METRICS_PORT", "0"), ("LOG_LEVEL", "loud")]
)
def test_a_bad_setting_is_named_in_one_line(name: str, value: str) -> None:
    answer = run(**{f"ISEK_OPERATOR_{name}": value})

    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert line.startswith(f"isek-operator: ISEK_OPERATOR_{name}: ")


def test_no_cluster_is_said_in_one_line(tmp_path: Path) -> None:
    answer = run(KUBECONFIG=str(tmp_path / "none"))

    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert "set KUBECONFIG" in line


async def test_a_port_in_use_is_said_in_one_line(operator: OperatorProcess, operator_user: User) -> None:
    port = str(operator.health_port)
    answer = run(KUBECONFIG=str(operator_user.kubeconfig), ISEK_OPERATOR_HEALTH_PORT=port)

    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert "ISEK_OPERATOR_HEALTH_PORT" in line


async def test_it_ends_within_seconds_and_logs_json(
    kube: KubeClient, operator: OperatorProcess, operator_user: User, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    async with operator.away(), OperatorProcess(operator_user.kubeconfig, log, log_format="JSON") as process:
        await kube.apply(agent("writer"))
        await kube.until_exists("Deployment", "writer-agent")
        began = time.monotonic()
        await process.stop()
        assert time.monotonic() - began < 20  # of the 30 that a pod has

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["message"] == "stopped"
    created = [line for line in lines if line["message"].startswith("created Deployment")]
    assert [(line["kind"], line["namespace"], line["name"]) for line in created] == [
        ("IsekAgent", kube.namespace, "writer")
    ]
    assert_no_fault(log)


async def test_it_looks_after_the_named_namespaces_only(
    kube: KubeClient, operator: OperatorProcess, operator_user: User, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    other = kube.in_namespace("default")
    async with operator.away(), OperatorProcess(operator_user.kubeconfig, log, watch_namespaces=kube.namespace):
        await other.apply(agent("elsewhere"))
        await kube.apply(agent("writer"))
        before = await kube.until_exists("Deployment", "writer-agent")
        await kube.delete("Deployment", "writer-agent")
        await kube.until_made_anew(before)
        assert await other.find("Deployment", "elsewhere-agent") is None
        await other.delete("IsekAgent", "elsewhere")
    assert_no_fault(log)
