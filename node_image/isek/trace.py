"""Who was asked, where, over which path, and how long it took: the tree that comes back with every answer."""

import time
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

TRACE_KEY = "isek.io/trace"
"""The key in the metadata of an answer."""

Path = Literal["local", "libp2p", "relay", "http"]
"""How the caller reached the agent: in process, over the sidecars (direct or relayed), or node to node over HTTP."""


class Trace(BaseModel):
    """One agent's part in an answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    agent: str
    """``<agent>.<namespace>``."""
    node: str
    """The node id of the replica that answered."""
    peer_id: str | None = None
    """That node's libp2p peer id."""
    caller: str | None = None
    """Who asked: an agent of the mesh by its address, or somebody from outside by what their token says."""
    path: Path = "http"
    started_at: str
    """RFC 3339, UTC."""
    duration_ms: float
    error: str | None = None
    """The error's code, when there was one."""
    children: list["Trace"] = []


class Stopwatch:
    """Times a call, from its making on."""

    def __init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._begun = time.perf_counter()

    def trace(self, **said: Any) -> Trace:
        """The trace of the call until now; ``said`` are its other fields."""
        return Trace(
            started_at=self._started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_ms=round((time.perf_counter() - self._begun) * 1000, 3),
            **said,
        )
