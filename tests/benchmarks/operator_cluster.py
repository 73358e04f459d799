"""The cluster in which operators are compared: what they ask of it, and when what they make is there."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import yaml

from tests.support.control_plane import ControlPlane, User

CRDS = Path(__file__).parents[2] / "crds"
USER = "rival"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
READS = frozenset({"get", "list"})
WRITES = frozenset({"create", "update", "patch", "delete"})

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [f"system:serviceaccount:default:{USER}"]}, {"level": "None"}],
}


class Calls(NamedTuple):
    """Calls of the API server, as its audit log counts them. Not among them: watches, and leases, which nobody's
    resources need."""

    reads: int
    writes: int

    def since(self, before: "Calls") -> "Calls":
        return Calls(self.reads - before.reads, self.writes - before.writes)


class Cluster:
    """A control plane of its own, an operator's user in it, and a watch on Deployments."""

    def __init__(self, control_plane: ControlPlane, user: User) -> None:
        self.control_plane, self.user = control_plane, user
        self.seen: dict[str, float] = {}
        """When each Deployment was first seen, by name."""

    def calls(self) -> Calls:
        """Return what the operator has asked for so far."""
        verbs = []
        for line in self.control_plane.audit_log.read_bytes().splitlines():
            entry = json.loads(line)
            if entry.get("objectRef", {}).get("resource") != "leases":
                verbs.append(entry["verb"])
        return Calls(sum(verb in READS for verb in verbs), sum(verb in WRITES for verb in verbs))

    async def watch(self) -> None:
        context = ssl.create_default_context(cafile=self.control_plane.ca)
        headers = {"Authorization": f"Bearer {self.control_plane.admin.token}", "Accept": METADATA}
        url = f"{self.control_plane.url}/apis/apps/v1/deployments?watch=true"
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=timeout) as session,
            session.get(url, headers=headers) as answer,
        ):
            async for line in answer.content:
                self.seen.setdefault(json.loads(line)["object"]["metadata"]["name"], time.monotonic())


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """A fresh one."""
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    async with AsyncExitStack() as stack:
        control_plane = ControlPlane(definitions=definitions, proxied=False, audit_policy=AUDIT_POLICY)
        await stack.enter_async_context(control_plane)
        made = Cluster(control_plane, await control_plane.restricted_user(USER, EVERYTHING))
        watching = asyncio.create_task(made.watch())
        stack.callback(watching.cancel)
        yield made
