"""Resources of all kinds in three namespaces, and what people, pods and controllers do to them all day."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from isek.api import KINDS

from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node, team
from tests.support.kube import KubeClient, KubeError, Object
from tests.support.secure_etcd import NODE, SecureEtcd

AT_ONCE = 16
"""Edits that are under way at a time."""
WITHIN = 300.0
"""Until the operator comes to a guest, behind a thousand others."""
OVERTAKEN = frozenset({404, 409})
"""Somebody else was faster, which is no matter."""
NODE_OF = 50
"""Of so many resources one is an IsekNode."""
ELSEWHERE = {"provider": "OpenAI", "name": "gpt-5-mini"}


class Estate:
    """As many resources as are asked for, and the meshes below them.

    Whatever is edited, ``restore`` brings every object back to what ``build`` made, so that what an operator holds then
    does not depend on it. Names that an edit makes up are made up once only.
    """

    def __init__(self, kube: KubeClient, etcd: SecureEtcd, size: int) -> None:
        self._kube, self._etcd, self._size = kube, etcd, size
        self._home = kube.namespace
        self._namespaces = (self._home, f"{self._home}-b", f"{self._home}-c")
        self._chance = random.Random(4)  # noqa: S311  (no secret)
        self._guests: list[str] = []
        self._secrets: set[tuple[str, str]] = set()

    async def build(self, size: int | None = None) -> None:
        """Make everything, or the first so many; what is there is brought back to how it was."""
        for name in self._namespaces:
            await self._kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await self._kube.apply(*self._meshes())
        await _at_once(self._kube.apply(self._resource(number)) for number in range(size or self._size))

    async def restore(self) -> None:
        """Have everything as it was built, and nothing else."""
        await _at_once(self._kube.delete("Namespace", name) for name in self._guests)
        await self.build()
        await _at_once(self._in(at).delete("Secret", name) for at, name in self._secrets)
        self._guests.clear()
        self._secrets.clear()

    async def edit(self, times: int) -> None:
        """Do so many things, as fast as the API server takes them."""
        ways: list[Callable[[], Awaitable[None]]] = [
            *[self._change] * 10,
            *[self._label] * 4,
            *[self._remove] * 2,
            *[self._spoil] * 2,
            *[self._lose_pods] * 2,
            self._have_a_guest,
            self._remove_child,
            self._change_mesh,
            self._write_secret,
            self._have_a_guest,
        ]
        await _at_once(self._chance.choice(ways)() for _ in range(times))

    async def demolish(self) -> None:
        """Delete every resource and every guest."""
        await _at_once(self._kube.delete("Namespace", name) for name in self._guests)
        self._guests.clear()
        for kind in ("IsekTeam", "IsekAgent", "IsekNode", "IsekMesh"):
            found = [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in await self._all(kind)]
            await _at_once(self._in(at).delete(kind, name) for at, name in found)

    async def gone(self) -> bool:
        """Whether nothing is left of it."""
        left = [f"{kind} {each['metadata']['name']}" for kind in KINDS for each in await self._all(kind)]
        for kind in CHILD_KINDS:
            left += [f"{kind} {each['metadata']['name']}" for each in await self._all(kind, labels=OURS)]
        assert not left, f"{len(left)}: {left[:5]}"
        return True

    async def judged(self) -> bool:
        """Whether the operator has said of each resource, as it is now, what it thinks; and no guest is left."""
        for kind in KINDS:
            for each in await self._all(kind):
                metadata, status = each["metadata"], each.get("status", {})
                who = f"{kind} {metadata['namespace']}/{metadata['name']}"
                assert status.get("observedGeneration") == metadata["generation"], f"{who} was not judged"
                moving = [condition for condition in status["conditions"] if condition["type"] == "Reconciling"]
                assert not moving or kind == "IsekMesh", f"{who}: {moving[0]['message']}"  # no pod of an etcd runs here
        left = [each["metadata"]["name"] for each in await self._kube.list("Namespace")]
        assert not [name for name in left if name.startswith("guest-")]
        return True

    # --- how it is built --------------------------------------------------------------------------------------------

    def _meshes(self) -> list[Object]:
        home, _, third = self._namespaces
        external = {"endpoints": [f"https://{self._etcd.endpoint}"], "tlsSecret": {"name": "outside"}}
        return [
            _placed(home, mesh("ground", allowedNamespaces={"from": "All"})),
            _placed(home, mesh("spare", p2p={"enabled": False})),
            self._etcd_secret("outside"),
            _placed(third, mesh("outside", etcd={"external": external})),
        ]

    def _etcd_secret(self, name: str) -> Object:
        files = self._etcd.certificates.files(NODE)
        assert files.certificate is not None
        assert files.key is not None
        paths = {"ca.crt": files.ca, "tls.crt": files.certificate, "tls.key": files.key}
        data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in paths.items()}
        metadata = {"name": name, "namespace": self._namespaces[2]}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}

    def _resource(self, number: int, **changed: Any) -> Object:
        """The resource of that number, as it is built but for what is ``changed`` of its specification."""
        at, name = self._namespaces[number % 3], f"number-{number}"
        ground = {"meshRef": {"name": "ground", "namespace": self._home}}
        # in the second namespace half of them are in the mesh that is made by default
        where = (ground, ground if number % 2 else {}, ground if number % 2 else {"meshRef": {"name": "outside"}})
        spec: dict[str, Any] = where[number % 3]
        if number % NODE_OF == 1:
            return _placed(at, node(name, **{"maxAgents": 30, **spec, **changed}))
        hosts = [each for each in range(1, self._size, NODE_OF) if each % 3 == number % 3]
        if number % 10 in {2, 3, 6, 7} and hosts:
            spec = {"nodeRef": {"name": f"number-{hosts[number // 10 % len(hosts)]}"}}
        if number % 97 == 0:
            spec = {"meshRef": {"name": "nowhere"}}
        if number % 10 == 5:
            members = [f"number-{each}" for each in (number - 3, number + 3)]
            return _placed(at, team(name, *members, **{"description": "A team.", **spec, **changed}))
        if number % 10 == 4:
            spec = {**spec, "tools": [{"agent": {"name": f"number-{number + 3}"}}]}
        if number % 10 == 8:
            spec = {**spec, "model": {**ELSEWHERE, "baseURL": "http://models:8080/v1"}}
        return _placed(at, agent(name, **{"description": "An agent.", **spec, **changed}))

    # --- what is done to it -----------------------------------------------------------------------------------------

    async def _change(self) -> None:
        """Change a specification: a word, the number of pods, or who or what it refers to."""
        number, unheard_of = self._number(), self._new_name()
        kind = self._resource(number)["kind"]
        changes: list[dict[str, Any]] = [{"replicas": self._chance.randrange(4)}]
        if kind == "IsekNode":
            changes += [{"template": {"env": [{"name": "WORD", "value": unheard_of}]}}]
        else:
            changes += [{"description": unheard_of}, {"nodeRef": {"name": unheard_of}, "meshRef": None}]
        if kind == "IsekAgent":
            key = {"secretKeyRef": {"name": unheard_of, "key": "key"}}
            model = {**ELSEWHERE, "baseURL": f"http://{unheard_of}:8080/v1", "apiKey": key}
            changes += [{"instructions": unheard_of}, {"model": model}, {"tools": [{"agent": {"name": unheard_of}}]}]
        changes += [{"meshRef": {"name": self._chance.choice(("spare", unheard_of))}, "nodeRef": None}]
        wish = self._resource(number, **self._chance.choice(changes))
        wish["spec"] = {field: value for field, value in wish["spec"].items() if value is not None}
        if kind != "IsekNode" and "nodeRef" in wish["spec"]:
            wish["spec"].pop("replicas", None)
        await self._kube.apply(wish)

    async def _label(self) -> None:
        kind, at, name = self._somebody()
        marks = {"edited": self._new_name()}
        await self._in(at).patch(kind, name, {"metadata": {"labels": marks, "annotations": marks}})

    async def _remove(self) -> None:
        kind, at, name = self._somebody()
        await self._in(at).delete(kind, name)

    async def _spoil(self) -> None:
        """Change a child."""
        at, name = self._child()
        changes: dict[str, Object] = {
            "ConfigMap": {"data": {self._new_name(): ""}},
            "Service": {"spec": {"selector": {"spoiled": self._new_name()}}},
            "Deployment": {"metadata": {"labels": {"app.kubernetes.io/managed-by": self._new_name()}}},
        }
        kind = self._chance.choice(sorted(changes))
        await self._in(at).patch(kind, name, changes[kind])

    async def _remove_child(self) -> None:
        at, name = self._child()
        await self._in(at).delete(self._chance.choice(("Deployment", "ConfigMap", "Service", "NetworkPolicy")), name)

    async def _lose_pods(self) -> None:
        at, name = self._child()
        no_pods = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
        await self._in(at).patch("Deployment", name, no_pods, subresource="status")

    async def _change_mesh(self) -> None:
        """Change how long nodes are remembered, or the certificate for the etcd that somebody else runs."""
        name = self._chance.choice(("ground", "spare", "outside"))
        at = self._namespaces[2] if name == "outside" else self._home
        change: Object = {"registry": {"ttlSeconds": self._chance.randrange(5, 60)}}
        if name == "outside":
            secret = self._etcd_secret(self._new_name())
            self._secrets.add((at, secret["metadata"]["name"]))
            await self._kube.apply(secret)
            change = {"etcd": {"external": {"tlsSecret": {"name": secret["metadata"]["name"]}}}}
        await self._in(at).patch("IsekMesh", name, {"spec": change})

    async def _write_secret(self) -> None:
        """Write a Secret that the operator is told of."""
        at, name = self._chance.choice(self._namespaces), self._new_name()
        metadata = {"name": name, "namespace": at, "labels": {"isek.io/watch": "true"}}
        self._secrets.add((at, name))
        await self._kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "x"}})

    async def _have_a_guest(self) -> None:
        """Make a namespace with an agent, and with it a mesh; the last one goes."""
        name = f"guest-{self._new_name()}"
        await self._kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await self._kube.apply(_placed(name, agent("guest")))
        await self._in(name).until_exists("Deployment", "guest-agent", within=WITHIN)
        self._guests.append(name)
        if len(self._guests) > AT_ONCE:
            await self._kube.delete("Namespace", self._guests.pop(0))

    def _number(self) -> int:
        return self._chance.randrange(self._size)

    def _somebody(self) -> tuple[str, str, str]:
        resource = self._resource(self._number())
        return resource["kind"], resource["metadata"]["namespace"], resource["metadata"]["name"]

    def _child(self) -> tuple[str, str]:
        kind, at, name = self._somebody()
        return at, f"{name}-{kind.removeprefix('Isek').lower()}"

    def _new_name(self) -> str:
        return f"new-{self._chance.randrange(10**9)}"

    def _in(self, namespace: str) -> KubeClient:
        return self._kube.in_namespace(namespace)

    async def _all(self, kind: str, *, labels: str = "") -> list[Object]:
        return await self._kube.list(kind, labels=labels, all_namespaces=True)


def _placed(namespace: str, wish: Object) -> Object:
    marks = {"edited": "no"}
    return {**wish, "metadata": {**wish["metadata"], "namespace": namespace, "labels": marks, "annotations": marks}}


async def _at_once(calls: Iterable[Awaitable[Any]]) -> None:
    """Make the calls, some at a time; those that were overtaken are no matter."""
    places = asyncio.Semaphore(AT_ONCE)

    async def make(call: Awaitable[Any]) -> None:
        async with places:
            try:
                await call
            except KubeError as error:
                if error.code not in OVERTAKEN:
                    raise

    await asyncio.gather(*map(make, calls))
