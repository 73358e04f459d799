"""The alerts as Prometheus evaluates them, by promtool."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.binaries import CLUSTER_SCRIPT
from tests.support.chart import CHART

RULES = CHART / "files/monitoring/alerts.yaml"
JOB = 'job="isek-operator-metrics"'
DAY = 86400
EXPIRY = f'isek_operator_certificate_expiry_timestamp_seconds{{{JOB},namespace="press",mesh="ground",secret="etcd"}}'

HEALTHY = {
    f'isek_operator_leader{{{JOB},pod="a"}}': "1x120",
    f'isek_operator_leader{{{JOB},pod="b"}}': "0x120",
    f'isek_operator_reconcile_total{{{JOB},kind="IsekAgent",result="success"}}': "0+10x120",
    f'isek_operator_reconcile_total{{{JOB},kind="IsekAgent",result="rejected"}}': "3x120",
    f'isek_operator_api_requests_total{{{JOB},verb="APPLY",code="200"}}': "0+95x120",
    f'isek_operator_api_requests_total{{{JOB},verb="APPLY",code="503"}}': "0+5x120",
    f'workqueue_queue_duration_seconds_bucket{{{JOB},le="10"}}': "0+100x120",
    f'workqueue_queue_duration_seconds_bucket{{{JOB},le="60"}}': "0+100x120",
    f'workqueue_queue_duration_seconds_bucket{{{JOB},le="+Inf"}}': "0+100x120",
    # it goes down, one workload a minute
    f'isek_operator_workloads_outdated{{{JOB},pod="a"}}': "500-1x120",
    f'isek_operator_workloads_outdated{{{JOB},pod="b"}}': "0x120",
    f'isek_operator_conditions{{{JOB},kind="IsekAgent",condition="Ready",status="False"}}': "4x120",
    f'isek_operator_conditions{{{JOB},kind="IsekMesh",condition="EtcdAvailable",status="True"}}': "2x120",
    f'isek_operator_etcd_members{{{JOB},namespace="press",mesh="ground",state="voter"}}': "3x120",
    f'isek_operator_etcd_members{{{JOB},namespace="press",mesh="ground",state="unreachable"}}': "0x120",
    f'isek_operator_etcd_db_bytes{{{JOB},namespace="press",mesh="ground"}}': "4000000x120",
    EXPIRY: (f"{30 * DAY}x120"),
}

MESH = {"namespace": "press", "mesh": "ground"}
TROUBLES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "IsekOperatorNotActive": ({f'isek_operator_leader{{{JOB},pod="a"}}': "0x120"}, {}),
    "IsekOperatorReconcilesFail": (
        {f'isek_operator_reconcile_total{{{JOB},kind="IsekAgent",result="rejected"}}': "0+1x120"},
        {"kind": "IsekAgent"},
    ),
    "IsekOperatorSlow": ({f'workqueue_queue_duration_seconds_bucket{{{JOB},le="10"}}': "0+90x120"}, {}),
    "IsekOperatorApiErrors": (
        {f'isek_operator_api_requests_total{{{JOB},verb="APPLY",code="none"}}': "0+20x120"},
        {},
    ),
    "IsekUpgradeStuck": (
        {f'isek_operator_workloads_outdated{{{JOB},pod="a"}}': "12x120"},
        {"job": "isek-operator-metrics", "pod": "a"},
    ),
    "IsekResourcesStalled": (
        {f'isek_operator_conditions{{{JOB},kind="IsekTeam",condition="Stalled",status="True"}}': "2x120"},
        {"kind": "IsekTeam"},
    ),
    "IsekEtcdUnavailable": (
        {f'isek_operator_conditions{{{JOB},kind="IsekMesh",condition="EtcdAvailable",status="False"}}': "1x120"},
        {},
    ),
    "IsekEtcdMemberUnreachable": (
        {f'isek_operator_etcd_members{{{JOB},namespace="press",mesh="ground",state="unreachable"}}': "1x120"},
        MESH,
    ),
    "IsekEtcdDatabaseLarge": (
        {f'isek_operator_etcd_db_bytes{{{JOB},namespace="press",mesh="ground"}}': "250000000x120"},
        MESH,
    ),
    "IsekCertificateExpires": (
        {EXPIRY: (f"{6 * DAY}x120")},
        {**MESH, "secret": "etcd"},
    ),
}

pytestmark = pytest.mark.timeout(1200)  # the first run builds promtool


@functools.cache
def promtool() -> Path:
    # standard error stays connected: a first build takes minutes and shows its progress there
    found = subprocess.run([CLUSTER_SCRIPT, "promtool"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(found.stdout.strip())


def run(*arguments: str | Path) -> str:
    answer = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert not answer.returncode, answer.stdout + answer.stderr
    return answer.stdout


def severities() -> dict[str, str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}


def firing(series: dict[str, str], alerts: dict[str, dict[str, str]], folder: Path) -> None:
    """Check that after two hours of these series those alerts fire, with those labels, and no others."""
    labels = [
        {"__name__": "ALERTS", "alertname": name, "alertstate": "firing", "severity": severities()[name], **labels}
        for name, labels in alerts.items()
    ]
    samples = [
        {"labels": "{" + ",".join(f'{name}="{value}"' for name, value in each.items()) + "}", "value": 1}
        for each in labels
    ]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": 'ALERTS{alertstate="firing"}', "eval_time": "2h", "exp_samples": samples}],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    run("test", "rules", path)


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(TROUBLES)} rules found" in run("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    panels = json.loads((CHART / "files/monitoring/dashboard.json").read_text())["panels"]
    queries = [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(queries)} rules found" in run("check", "rules", path)


def test_while_all_is_well_no_alert_fires(tmp_path: Path) -> None:
    firing(HEALTHY, {}, tmp_path)


@pytest.mark.parametrize("alert", severities())
def test_an_alert_fires_on_its_trouble_and_no_other_does(alert: str, tmp_path: Path) -> None:
    series, labels = TROUBLES[alert]

    firing(HEALTHY | series, {alert: labels}, tmp_path)


def test_without_any_operator_that_is_told(tmp_path: Path) -> None:
    firing({}, {"IsekOperatorNotActive": {}}, tmp_path)
