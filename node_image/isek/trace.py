"""Who was asked, where, over which path, and how long it took: the tree that comes back with every answer."""

from typing import Literal

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
    path: Path = "http"
    started_at: str
    """RFC 3339, UTC."""
    duration_ms: float
    error: str | None = None
    """The error's code, when there was one."""
    children: list["Trace"] = []
