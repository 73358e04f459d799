"""How the kinds present themselves: to people by ``kubectl get``, to tools by kstatus."""

from typing import Any

import pytest
from isek.api import API_VERSION, KINDS

from tests.support.binaries import binary
from tests.support.control_plane import ControlPlane, KubeClient
from tests.support.kstatus import kstatus
from tests.support.kubectl import Kubectl

SPECS: dict[str, dict[str, Any]] = {
    "IsekAgent": {"model": {"provider": "Echo"}},
    "IsekTeam": {"members": [{"agent": {"name": "writer"}}]},
    "IsekNode": {},
    "IsekMesh": {},
}
STATUS = {
    "pods": "2/3",
    "mesh": "press/default",
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "RollingOut",
            "message": "2 of 3 pods answer",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


def resource(kind: str) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "writer"}, "spec": SPECS[kind]}


async def test_one_look_says_how_everything_stands_and_why(control_plane: ControlPlane, kube: KubeClient) -> None:
    for kind in KINDS:
        await kube.create(resource(kind))
        await kube.patch(kind, "writer", {"status": STATUS}, subresource="status")
    kubectl = Kubectl(binary("kubectl"), control_plane.admin.kubeconfig, namespace=kube.namespace)

    table = await kubectl("get", "isek", "-o", "wide")
    narrow = await kubectl("get", "isek")

    headings = [line.split() for line in table.splitlines() if line.startswith("NAME")]
    rows = [line.split() for line in table.splitlines() if "/writer" in line]
    assert len(headings) == len(rows) == len(KINDS)
    for heading, row in zip(headings, rows, strict=True):
        assert heading[:4] == ["NAME", "READY", "REASON", "PODS"]
        assert heading[-2:] == ["MESSAGE", "AGE"]
        assert row[1:4] == ["False", "RollingOut", "2/3"]
        assert row[-6:-1] == ["2", "of", "3", "pods", "answer"]
    assert {row[0] for row in rows} == {f"{kind.lower()}.isek.io/writer" for kind in KINDS}
    assert "MESSAGE" not in narrow


@pytest.mark.parametrize("kind", KINDS)
async def test_what_nobody_has_looked_at_yet_is_in_progress(kube: KubeClient, kind: str) -> None:
    created = await kube.create(resource(kind))

    assert kstatus(created) == "InProgress"
