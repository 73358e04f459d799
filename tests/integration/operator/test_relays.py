"""The relays of a mesh on a real API server, which gives their Services ports and addresses."""

import asyncio
import os
from asyncio.subprocess import PIPE
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent, mesh
from tests.support.kube import KubeClient, Object
from tests.support.sidecar import NODE_JS, sidecar_bundle

pytestmark = pytest.mark.usefixtures("operator")

MACHINE = "192.0.2.4"
NODE_PORTS = {"type": "NodePort", "hosts": [MACHINE]}


def relayed(replicas: int, **relays: Any) -> Object:
    return mesh("default", p2p={"relays": {"replicas": replicas, "service": NODE_PORTS, **relays}})


async def addresses(kube: KubeClient, count: int) -> list[str]:
    def told(found: Object) -> bool:
        return len(found.get("status", {}).get("relays", [])) == count

    found = await kube.until_true("IsekMesh", "default", told, what=f"tells of {count} relays")
    known: list[str] = found["status"].get("relays", [])
    return known


def announced(deployment: Object) -> str:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return next(str(each["value"]) for each in container["env"] if each["name"] == "ISEK_P2P_ANNOUNCE")


async def test_each_relay_announces_the_port_of_its_own_service_and_its_own_identity(kube: KubeClient) -> None:
    await kube.apply(relayed(2))

    for number, address in enumerate(await addresses(kube, 2)):
        name = f"default-relay-{number}"
        service, secret = await kube.get("Service", name), await kube.get("Secret", name)
        port = service["spec"]["ports"][0]["nodePort"]
        peer_id = b64decode(secret["data"]["identity.peer-id"]).decode()
        assert address == f"/ip4/{MACHINE}/tcp/{port}/p2p/{peer_id}"
        assert announced(await kube.until_exists("Deployment", name)) == address


async def test_what_a_relay_consists_of_is_written_once(kube: KubeClient, operator: OperatorProcess) -> None:
    await kube.apply(relayed(1))
    await addresses(kube, 1)
    policy = await kube.until_exists("NetworkPolicy", "default-relays")
    assert "egress" not in policy["spec"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    await operator.until_reconciled(1)

    await operator.stop()
    await operator.start()
    await operator.until_reconciled(1)

    after = await kube.get("NetworkPolicy", "default-relays")
    assert after["metadata"]["resourceVersion"] == policy["metadata"]["resourceVersion"]


async def test_a_relay_is_whom_its_address_names(kube: KubeClient, tmp_path: Path) -> None:
    await kube.apply(relayed(1))
    (address,) = await addresses(kube, 1)
    secret = await kube.get("Secret", "default-relay-0")
    identity = tmp_path / "identity.key"
    identity.write_bytes(b64decode(secret["data"]["identity.key"]))

    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ISEK_")},
        **{f"ISEK_P2P_{name}_HOST": "127.0.0.1" for name in ("LISTEN", "HEALTH")},
        **{f"ISEK_P2P_{name}_PORT": "0" for name in ("LISTEN", "WEBSOCKET", "HEALTH")},
        "ISEK_P2P_IDENTITY_FILE": str(identity),
    }
    relay = await asyncio.create_subprocess_exec(
        str(NODE_JS), str(sidecar_bundle()), "relay", env=environment, stderr=PIPE
    )
    assert relay.stderr is not None
    try:
        async with asyncio.timeout(30):
            said = ""
            while "/p2p/" not in said:
                line = await relay.stderr.readline()
                assert line, said
                said += line.decode()
    finally:
        relay.terminate()
        await relay.wait()

    assert f"/p2p/{address.rpartition('/')[2]}" in said


async def test_a_load_balancer_is_waited_for_and_followed(kube: KubeClient) -> None:
    await kube.apply(relayed(1, service={"type": "LoadBalancer"}))
    await kube.until_condition("IsekMesh", "default", "RelaysAvailable", "False", reason="RelayWithoutAddress")
    assert await kube.find("Deployment", "default-relay-0") is None

    for ip in ("192.0.2.5", "192.0.2.6"):
        status = {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
        await kube.patch("Service", "default-relay-0", status, subresource="status")
        await kube.until_true(
            "Deployment",
            "default-relay-0",
            lambda live, ip=ip: announced(live).startswith(f"/ip4/{ip}/tcp/9000/p2p/"),  # type: ignore[misc]
            what=f"announces {ip}",
        )


async def test_relays_become_ready_and_agents_hear_of_them_without_new_pods(kube: KubeClient) -> None:
    await kube.apply(mesh("default"), agent("writer"))
    await kube.until_exists("StatefulSet", "default-etcd")
    before = await kube.until_exists("Deployment", "writer-agent")

    await kube.apply(relayed(1))
    (address,) = await addresses(kube, 1)
    await kube.until_exists("Deployment", "default-relay-0")
    await kube.mark_ready("Deployment", "default-relay-0")

    await kube.until_condition("IsekMesh", "default", "RelaysAvailable", reason="AllRelaysReady")
    await kube.until_true(
        "ConfigMap", "writer-agent", lambda live: live["data"]["relays"] == f"{address}\n", what="names the relay"
    )
    after = await kube.get("Deployment", "writer-agent")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_relays_that_are_not_asked_for_any_more_go_and_the_others_stay_who_they_are(kube: KubeClient) -> None:
    await kube.apply(relayed(3))
    first, *_ = await addresses(kube, 3)
    await kube.until_exists("Deployment", "default-relay-2")

    await kube.apply(relayed(1))

    for number in (1, 2):
        for kind in ("Deployment", "Service", "Secret"):
            await kube.until_gone(kind, f"default-relay-{number}")
    assert await addresses(kube, 1) == [first]

    await kube.apply(relayed(0))
    for kind, name in (
        ("Deployment", "default-relay-0"),
        ("Secret", "default-relay-0"),
        ("NetworkPolicy", "default-relays"),
        ("PodDisruptionBudget", "default-relays"),
        ("ServiceAccount", "default-relays"),
    ):
        await kube.until_gone(kind, name)
    assert await addresses(kube, 0) == []


async def test_an_exposed_etcd_says_where_and_shows_a_certificate_for_it(kube: KubeClient) -> None:
    await kube.apply(mesh("default", etcd={"expose": {"type": "NodePort", "names": [MACHINE, "etcd.example.org"]}}))

    service = await kube.until_exists("Service", "default-etcd-outside")
    port = service["spec"]["ports"][0]["nodePort"]
    await kube.until_true(
        "IsekMesh",
        "default",
        lambda found: found.get("status", {}).get("exposed") == f"https://{MACHINE}:{port}",
        what="says where its etcd is reached",
    )

    await kube.apply(mesh("default"))
    await kube.until_gone("Service", "default-etcd-outside")
