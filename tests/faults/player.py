"""Plays the workload controllers: whatever Deployment or StatefulSet there is becomes ready a moment later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.kube import KubeClient, KubeError, Object

WORKLOADS = ("Deployment", "StatefulSet")


@asynccontextmanager
async def workloads_become_ready(kube: KubeClient) -> AsyncIterator[None]:
    """Do so in all namespaces, until the block ends."""
    players = [asyncio.create_task(_play(kube, kind)) for kind in WORKLOADS]
    try:
        yield
    finally:
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)


async def _play(kube: KubeClient, kind: str) -> None:
    while True:
        try:
            async for event, found in kube.watch(kind):
                if event != "DELETED" and not _ready(found):
                    await _mark(kube.in_namespace(found["metadata"]["namespace"]), kind, found["metadata"]["name"])
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.1)  # the watch broke: from the beginning


async def _mark(kube: KubeClient, kind: str, name: str) -> None:
    try:
        await kube.mark_ready(kind, name)
    except KubeError as error:
        if error.code not in {404, 409}:
            raise


def _ready(found: Object) -> bool:
    status, metadata = found.get("status", {}), found["metadata"]
    return "deletionTimestamp" in metadata or (status.get("observedGeneration"), status.get("readyReplicas", 0)) == (
        metadata["generation"],
        found["spec"]["replicas"],
    )
