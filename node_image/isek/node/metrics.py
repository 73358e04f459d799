"""What a node counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

from isek.events import Event, ModelReplied, ToolEnded
from isek.trace import Path

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series and say little

OK = "OK"
"""The outcome that is no error code."""
SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The metrics of one node, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._observers: dict[str, Callable[[Event], None]] = {}
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "isek_requests", "Requests by agent and outcome.", ("agent", "outcome"), registry=self._registry
        )
        self.durations = Histogram(
            "isek_request_duration_seconds",
            "How long requests took.",
            ("agent",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.running = Gauge("isek_running_tasks", "Runs right now.", ("agent",), registry=self._registry)
        self.registered = Gauge("isek_registered", "1 while the registry knows this node.", registry=self._registry)
        self.peers = Gauge("isek_peers", "Other nodes in the registry.", registry=self._registry)
        self.calls = Counter(
            "isek_calls",
            "Calls of agents by others of this node, by path (local, libp2p, relay, http) and outcome.",
            ("path", "outcome"),
            registry=self._registry,
        )
        self.model_calls = Counter(
            "isek_model_calls", "Calls of models by agent and outcome.", ("agent", "outcome"), registry=self._registry
        )
        self.model_durations = Histogram(
            "isek_model_call_duration_seconds",
            "How long models took.",
            ("agent",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.tool_calls = Counter(
            "isek_tool_calls",
            "Calls of tools by agent and outcome.",
            ("agent", "tool", "outcome"),
            registry=self._registry,
        )

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def called(self, path: Path, error: str | None) -> None:
        """Count a call that somebody here made, with the code of its error."""
        self.calls.labels(path, error or OK).inc()

    def observer(self, agent: str) -> Callable[[Event], None]:
        """Counts the steps of one agent, and of those that it asks and that only it knows."""
        if agent not in self._observers:
            self._observers[agent] = self._observer(agent)
        return self._observers[agent]

    def _observer(self, agent: str) -> Callable[[Event], None]:
        duration = self.model_durations.labels(agent)

        def count(event: Event) -> None:
            if isinstance(event, ModelReplied):
                self.model_calls.labels(agent, event.error or OK).inc()
                duration.observe(event.seconds)
            elif isinstance(event, ToolEnded):
                tool = event.tool if event.known else "unknown"
                self.tool_calls.labels(agent, tool, "ToolError" if event.failed else OK).inc()

        return count
