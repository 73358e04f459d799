"""The kubelet that runs the etcd of the operator's tests, tried with a plain etcd and without the operator."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.control_plane import ControlPlane
from tests.support.kube import KubeClient, Object
from tests.support.kubelet import Kubelet
from tests.support.waiting import until

NAMESPACE = "default"
LABELS = {"app": "store"}
FIELD = {"fieldRef": {"fieldPath": "metadata.name"}}
READY = {"httpGet": {"path": "/readyz", "port": "metrics"}, "periodSeconds": 1, "failureThreshold": 2}
GUARD = """
import pathlib, sys
if pathlib.Path("/etc/store/locked").exists():
    pathlib.Path("/dev/termination-log").write_text("locked")
    sys.exit(3)
"""


@pytest.fixture(scope="module")
async def plane() -> AsyncIterator[ControlPlane]:
    async with ControlPlane(workloads=True) as plane:
        yield plane


@pytest.fixture(scope="module")
async def kubelet(plane: ControlPlane) -> AsyncIterator[Kubelet]:
    async with Kubelet(plane.kube, labels="app=store") as kubelet:
        yield kubelet


@pytest.fixture(scope="module")
async def kube(plane: ControlPlane, kubelet: Kubelet) -> KubeClient:
    """A client, once three members that know each other by their names are ready."""
    await plane.kube.apply(settings(), service("store"), service("peers", clusterIP="None"), stateful_set(3))
    await until_ready(plane.kube, 3)
    return plane.kube


async def test_members_find_each_other_by_name_and_a_service_leads_to_them(kube: KubeClient, kubelet: Kubelet) -> None:
    async with kubelet.forward(NAMESPACE, "store", 2379) as address:
        members = await call(address, "/v3/cluster/member/list")

    assert len(members["members"]) == 3
    claims = {claim["metadata"]["name"] for claim in await kube.list("PersistentVolumeClaim")}
    assert claims == {"data-store-0", "data-store-1", "data-store-2"}


async def test_a_killed_container_comes_back_with_its_data(kube: KubeClient, kubelet: Kubelet) -> None:
    before = await kube.get("Pod", "store-1")
    async with kubelet.forward(NAMESPACE, "store", 2379) as address:
        await call(address, "/v3/kv/put", key="a2V5", value="dmFsdWU=")

    await kubelet.process(NAMESPACE, "store-1").kill()

    def restarted(pod: Object) -> bool:
        [status] = pod["status"]["containerStatuses"]
        return bool(status["restartCount"] == 1 and status["ready"])

    after = await kube.until_true("Pod", "store-1", restarted, what="has restarted")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 128 + 9
    assert (await call(after["status"]["podIP"] + ":2379", "/v3/kv/range", key="a2V5"))["count"] == "1"


async def test_a_lost_machine_takes_the_data_with_it(kube: KubeClient, kubelet: Kubelet) -> None:
    before = await kube.get("Pod", "store-2")

    await kubelet.lose_machine(NAMESPACE, "store-2")

    def replaced(pod: Object) -> bool:
        return bool(pod["metadata"]["uid"] != before["metadata"]["uid"] and pod["status"]["containerStatuses"])

    await kube.until_true("Pod", "store-2", replaced, what="is another")
    # told to make a new cluster, it finds that the others know it already
    await until(lambda: "already been bootstrapped" in kubelet.logs(NAMESPACE), what="the member lacks its data")


async def test_an_init_container_that_fails_is_tried_until_it_passes(kube: KubeClient, kubelet: Kubelet) -> None:
    await kube.apply(settings(locked=""))
    await kube.delete("Pod", "store-1")

    def refused(pod: Object) -> bool:
        [guard] = pod["status"]["initContainerStatuses"]
        seen = guard["lastState"].get("terminated", {})
        return bool(seen["exitCode"] == 3 and seen["message"] == "locked" and guard["restartCount"] > 0)

    await kube.until_true("Pod", "store-1", refused, what="is refused by its guard")
    await kube.apply(settings())
    await kube.until_condition("Pod", "store-1", "Ready")


async def test_what_is_scaled_down_is_gone(kube: KubeClient, kubelet: Kubelet) -> None:
    await kube.apply(stateful_set(1))

    for name in ("store-1", "store-2"):
        await kube.until_gone("Pod", name)
        await kube.until_gone("PersistentVolumeClaim", f"data-{name}")


def stateful_set(replicas: int) -> Object:
    names = [f"store-{ordinal}" for ordinal in range(3)]
    flags = {
        "name": "$(POD_NAME)",
        "data-dir": "/var/lib/etcd/data",
        "initial-cluster": ",".join(f"{name}=http://{name}.peers.default.svc:2380" for name in names),
        "initial-advertise-peer-urls": "http://$(POD_NAME).peers.default.svc:2380",
        "advertise-client-urls": "http://$(POD_NAME).peers.default.svc:2379",
        "listen-peer-urls": "http://0.0.0.0:2380",
        "listen-client-urls": "http://0.0.0.0:2379",
        "listen-metrics-urls": "http://0.0.0.0:2381",
    }
    guard = {
        "name": "guard",
        "image": "python",
        "command": ["python", "-I", "-c", GUARD],
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/store"}],
    }
    etcd = {
        "name": "etcd",
        "image": "etcd",
        "command": ["etcd"],
        "args": [f"--{name}={value}" for name, value in flags.items()],
        "env": [{"name": "POD_NAME", "valueFrom": FIELD}],
        "ports": [{"name": "metrics", "containerPort": 2381}],
        "readinessProbe": READY,
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/etcd"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "initContainers": [guard],
        "containers": [etcd],
        "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = {
        "replicas": replicas,
        "serviceName": "peers",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": LABELS},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "store"}, "spec": spec}


def service(name: str, **spec: Any) -> Object:
    ports = [{"port": 2379}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": LABELS, "ports": ports, **spec},
    }


def settings(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


async def until_ready(kube: KubeClient, replicas: int) -> None:
    def ready(found: Object) -> bool:
        return bool(found["status"]["readyReplicas"] == replicas)

    await kube.until_true("StatefulSet", "store", ready, what="is ready", within=30)


async def call(address: str, path: str, **body: str) -> Any:
    """Call etcd's JSON gateway."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{address}{path}", json=body) as answer,
    ):
        return await answer.json(content_type=None)
