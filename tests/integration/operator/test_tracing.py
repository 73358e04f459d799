"""What the operator does as traces, and as log lines for machines."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent
from tests.support.control_plane import KubeClient, User
from tests.support.otlp_receiver import SPAN_KIND_CLIENT, otlp_receiver
from tests.support.waiting import until

ABOUT_THE_PROCESS = {"isek_operator.assembly", "isek_operator.process", "isek_operator.leadership"}


@pytest.fixture(scope="module", autouse=True)
async def alone(operator: OperatorProcess) -> AsyncIterator[None]:
    """Nobody else looks after the cluster."""
    async with operator.away():
        yield


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_a_run_is_a_trace_of_its_decision_and_of_each_request(
    kube: KubeClient, operator_user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "operator.log"
    async with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        async with OperatorProcess(
            operator_user.kubeconfig, log, watch_namespaces=kube.namespace, log_format="JSON", log_level="debug"
        ):
            await kube.apply(agent("writer"))
            await kube.until_exists("Deployment", "writer-agent")
            await kube.until_true("IsekAgent", "writer", lambda live: live["status"]["mesh"], what="has a status")
        # it sends what is left when it ends
        deployment = [
            span for span in receiver.named("PATCH") if "/deployments/writer-agent?" in span.attributes["url.full"]
        ]
        await until(lambda: deployment, what="the request for the Deployment was told of")

    [request, *_] = deployment
    [run] = [span for span in receiver.spans if span.span_id == request.parent_id]
    assert run.name == "reconcile IsekAgent"
    assert run.service == "isek-operator"
    assert run.attributes == {
        "isek.kind": "IsekAgent",
        "isek.name": "writer",
        "k8s.namespace.name": kube.namespace,
        "isek.outcome": "success",
    }
    assert request.kind == SPAN_KIND_CLIENT
    assert request.attributes["http.request.method"] == "PATCH"
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["server.address"] == "127.0.0.1"
    assert {span.name for span in receiver.inside(run)} >= {"decide", "PATCH"}
    assert {span.trace_id for span in receiver.inside(run)} == {run.trace_id}
    # a request outside of any run, such as the lists of the beginning, is no trace of its own
    assert not [span for span in receiver.spans if not span.parent_id and not span.name.startswith("reconcile ")]

    told = [line for line in lines(log) if line["message"].startswith("created Deployment")]
    assert [(line["name"], line["trace_id"]) for line in told] == [("writer", run.trace_id)]


async def test_a_receiver_that_is_not_there_holds_up_nobody_and_is_complained_of_once(
    kube: KubeClient, operator_user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    log = tmp_path / "operator.log"

    def complaints() -> list[str]:
        return [line["message"] for line in lines(log) if line["logger"].startswith("opentelemetry.")]

    process = OperatorProcess(operator_user.kubeconfig, log, watch_namespaces=kube.namespace, log_format="JSON")
    async with process:
        await kube.apply(agent("writer"))
        await kube.until_exists("Deployment", "writer-agent")
        await until(complaints, what="it says that nobody takes its traces")
        process.process.terminate()
        await until(lambda: not process.process.running, within=20, what="the operator ends")

    assert process.process.exit_code == 0
    [complaint] = complaints()
    assert "Connection refused" in complaint


async def test_each_line_for_machines_says_which_object_it_is_about(
    kube: KubeClient, operator_user: User, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    async with OperatorProcess(
        operator_user.kubeconfig, log, watch_namespaces=kube.namespace, log_format="JSON", log_level="debug"
    ):
        await kube.apply(agent("writer"), agent("editor", template={"affinity": {"nodeAffinity": "somewhere"}}))
        await kube.until_exists("Deployment", "writer-agent")
        await kube.until_condition("IsekAgent", "editor", "Stalled")
        await kube.delete("IsekAgent", "writer")
        await kube.until_gone("IsekAgent", "writer")

    ours = [line for line in lines(log) if line["logger"].startswith("isek_operator.")]
    about = [line for line in ours if line["logger"] not in ABOUT_THE_PROCESS]
    assert len(about) > 5
    assert all(line.keys() >= {"time", "level", "message", "kind", "namespace", "name"} for line in about), about
    assert {(line["kind"], line["name"]) for line in about} >= {("IsekAgent", "writer"), ("IsekMesh", "default")}
    assert not any("trace_id" in line for line in ours)
    assert_no_fault(log)


@pytest.mark.parametrize(("endpoint", "imported"), [("", False), ("http://127.0.0.1:9", True)])
def test_opentelemetry_is_imported_only_where_traces_are_asked_for(endpoint: str, imported: bool) -> None:
    program = (
        "import sys; from isek_operator import process, tracing; tracing.set_up(); "
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "PATH": "/usr/bin"}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, timeout=60, check=False)

    assert answer.returncode == int(imported)
