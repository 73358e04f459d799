"""What the operator counts, for Prometheus."""

from collections.abc import Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All metrics of one operator. The queue's have the names that controller-runtime gave them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.build = Gauge("isek_operator_build_info", "1, with the version as label.", ("version",), registry=registry)
        self.build.labels(version("isek-operator")).set(1)
        self.leader = Gauge(
            "isek_operator_leader", "1: this operator is the active one; 0: it stands by.", registry=registry
        )
        self.queue_depth = Gauge("workqueue_depth", "Objects that wait for a worker.", registry=registry)
        self.queue_adds = Counter("workqueue_adds", "Objects put into the queue.", registry=registry)
        self.queue_retries = Counter("workqueue_retries", "Objects put back after a failure.", registry=registry)
        self.queue_wait = Histogram(
            "workqueue_queue_duration_seconds",
            "Time from being due to being worked on.",
            buckets=FAST,
            registry=registry,
        )
        self.queue_work = Histogram(
            "workqueue_work_duration_seconds", "Time that one run takes.", buckets=FAST, registry=registry
        )
        self.reconciles = Counter(
            "isek_operator_reconcile",
            "Runs by kind and result (success, retry, blocked, rejected, gone, fault). Blocked: a child is refused, or "
            "its name is taken.",
            ("kind", "result"),
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "isek_operator_reconcile_duration_seconds", "Time of one run.", ("kind",), buckets=FAST, registry=registry
        )
        self.last_reconcile = Gauge(
            "isek_operator_last_reconcile_timestamp_seconds", "When the last run ended.", registry=registry
        )
        self.api_calls = Counter(
            "isek_operator_api_requests", "Calls of the API server.", ("verb", "code"), registry=registry
        )
        self.api_seconds = Histogram(
            "isek_operator_api_request_duration_seconds",
            "Time from sending a request to the API server to having its answer.",
            ("verb",),
            buckets=FAST,
            registry=registry,
        )
        self.watch_restarts = Counter(
            "isek_operator_watch_restarts",
            "Watches that began with a list, by kind: once at start, then after each break that lost events.",
            ("kind",),
            registry=registry,
        )
        self.writes = Counter(
            "isek_operator_writes", "Objects written, by kind and verb.", ("kind", "verb"), registry=registry
        )
        self.events_dropped = Counter(
            "isek_operator_events_dropped", "Kubernetes events not sent because too many waited.", registry=registry
        )
        self.outdated = Gauge(
            "isek_operator_workloads_outdated",
            "Workloads whose pods are of an earlier version of the operator and wait to be replaced.",
            registry=registry,
        )
        self.upgrading = Gauge(
            "isek_operator_workloads_upgrading",
            "Workloads whose pods are being replaced for the version of the operator.",
            registry=registry,
        )
        self.etcd_members = Gauge(
            "isek_operator_etcd_members",
            "Members of a mesh's etcd by state (voter, learner, unreachable).",
            ("namespace", "mesh", "state"),
            registry=registry,
        )
        self.etcd_db_bytes = Gauge(
            "isek_operator_etcd_db_bytes",
            "Size of the largest member's database file.",
            ("namespace", "mesh"),
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "isek_operator_certificate_expiry_timestamp_seconds",
            "When the certificate in a Secret of a mesh expires.",
            ("namespace", "mesh", "secret"),
            registry=registry,
        )
        self.sweep_seconds = Gauge(
            "isek_operator_sweep_duration_seconds", "Time of the last comparison with lists.", registry=registry
        )

    def certificates_expire(self, namespace: str, mesh: str, expiries: Mapping[str, float]) -> None:
        """Say when the certificates of a mesh expire, by their Secrets, and nothing about others that it had."""
        self.certificate_expiry.remove_by_labels({"namespace": namespace, "mesh": mesh})
        for secret, expires in expiries.items():
            self.certificate_expiry.labels(namespace, mesh, secret).set(expires)

    def forget_mesh(self, namespace: str, mesh: str) -> None:
        """Say nothing more about a mesh that is gone."""
        for gauge in (self.etcd_members, self.etcd_db_bytes, self.certificate_expiry):
            gauge.remove_by_labels({"namespace": namespace, "mesh": mesh})
