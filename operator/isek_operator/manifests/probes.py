"""How kubelet asks a container how it is."""

from typing import Any


def started(path: str, port: str, *, within_seconds: int) -> dict[str, Any]:
    """Asked every second until it holds; not within the time: the container is restarted."""
    return _http(path, port, period=1, failures=within_seconds)


def ready(path: str, port: str) -> dict[str, Any]:
    """Asked often, since callers wait for it."""
    return _http(path, port, period=2, failures=2)


def alive(path: str, port: str) -> dict[str, Any]:
    """A restart helps only against what hangs, so it comes late: after a minute."""
    return _http(path, port, period=10, failures=6)


def _http(path: str, port: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    }
