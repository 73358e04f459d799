"""Alerts and dashboard: what they speak of exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from isek_operator.manifests.etcd_config import QUOTA_BYTES
from isek_operator.metrics_reference import described

from tests.support.chart import CHART, Manifest, render

TOP = Path(__file__).parents[3]
ENABLED = ("metrics.rules.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.dashboard.enabled=true")
SERIES = {name for metric in described() for name in metric.series} | {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
}
MONITORING = {"PrometheusRule", "ServiceMonitor"}
LABELS = {label for metric in described() for label in metric.labels} | {"le", "job", "pod"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CHART / "files/monitoring/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CHART / "files/monitoring/dashboard.json").read_text())["panels"]
    return found


def queries() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


def one(kind: str, *values: str) -> Manifest:
    (found,) = [
        manifest for manifest in render(*values) if manifest["kind"] == kind and kind in {"ConfigMap"} | MONITORING
    ]
    return found


MONITORING = {"PrometheusRule", "ServiceMonitor"}


@pytest.mark.parametrize("query", queries())
def test_each_metric_and_label_of_a_rule_or_panel_exists(query: str) -> None:
    named = set(re.findall(r"\b(?:isek_operator|workqueue|process)_\w+", query))
    labels = set(re.findall(r"(\w+)(?==~?\")", query)) | {
        label for by in re.findall(r"by \(([^)]*)\)", query) for label in by.split(", ")
    }

    assert named
    assert named <= SERIES
    assert labels <= LABELS


def test_each_metric_is_watched_by_an_alert_or_seen_on_the_dashboard() -> None:
    named = " ".join(queries())
    unseen = {metric.name for metric in described() if not any(series in named for series in metric.series)}

    assert unseen == {
        "isek_operator_build_info",
        "isek_operator_events_dropped_total",
        "isek_operator_last_reconcile_timestamp_seconds",
        "isek_operator_sweep_duration_seconds",
        "workqueue_work_duration_seconds",
    }


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_wrong_and_where_it_is_explained(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = [line.removeprefix("## ") for line in (TOP / page).read_text().splitlines() if line.startswith("## ")]

    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description"} < set(rule["annotations"])
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings


def test_no_alert_is_explained_that_there_is_not() -> None:
    headings = re.findall(r"^## (\w+)$", (TOP / "docs/reference/alerts.md").read_text(), re.MULTILINE)

    assert headings == [rule["alert"] for rule in rules()]


def test_an_etcd_is_called_large_at_four_fifths_of_its_quota() -> None:
    (large,) = [rule for rule in rules() if rule["alert"] == "IsekEtcdDatabaseLarge"]

    assert large["expr"].endswith(f"> {QUOTA_BYTES * 4 // 5}")


def test_monitoring_is_off_unless_asked_for() -> None:
    assert not [each for each in render() if each["kind"] in {*MONITORING, "ConfigMap"}]


def test_the_rules_are_about_the_job_of_the_release() -> None:
    rule = one("PrometheusRule", *ENABLED, "metrics.rules.labels.release=prometheus")
    (service,) = [each for each in render(*ENABLED) if each["kind"] == "Service"]

    jobs = set(re.findall(r'job="([^"]+)"', json.dumps(rule["spec"]).replace("\\", "")))
    assert jobs == {service["metadata"]["name"]}
    assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_the_metrics_are_collected_from_the_service_and_keep_their_own_labels() -> None:
    monitor = one("ServiceMonitor", *ENABLED)
    (service,) = [each for each in render(*ENABLED) if each["kind"] == "Service"]
    (endpoint,) = monitor["spec"]["endpoints"]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["honorLabels"] is True


def test_the_dashboard_is_found_by_grafana_s_sidecar_and_its_panels_do_not_overlap() -> None:
    config_map = one("ConfigMap", *ENABLED)
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in json.loads(config_map["data"]["isek.json"])["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
