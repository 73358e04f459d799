"""Nodes in a cluster, reached through the API server by a port-forward of our own."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import click
from kubernetes import client, config, stream
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from isek.api.resource import GROUP, VERSION
from isek.cli.http_call import NodeConnection
from isek.cli.meshes import not_found

HTTP_PORT = 8080
TIMEOUT_SECONDS = 10
HOSTED = ("isekteams", "isekagents")
"""What answers under a name; the two share one space of names."""
USERS = ("iseknodes", *HOSTED)
"""What has pods."""

Manifest = dict[str, Any]


class ClusterMeshes:
    """The nodes of a cluster."""

    def __init__(self, api: client.ApiClient, context: str, namespace: str) -> None:
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._where = f"cluster {context!r}"
        self.namespace = namespace

    @classmethod
    def of_kubeconfig(cls, context: str | None, namespace: str | None) -> "ClusterMeshes":
        """The cluster of a kubeconfig's context; None: the current one.

        Raises:
            click.ClickException: there is no such configuration.
        """
        try:
            contexts, current = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
            chosen = next(each for each in contexts if each["name"] == context) if context else current
            configuration = client.Configuration()
            config.load_kube_config(  # type: ignore[no-untyped-call]
                context=chosen["name"], client_configuration=configuration
            )
        except StopIteration:
            known = ", ".join(each["name"] for each in contexts)
            raise click.ClickException(f"the kubeconfig has no context {context!r}; it has {known}") from None
        except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise click.ClickException(
                "no local mesh is running, and the kubeconfig leads to no cluster: "
                f"{reason}; start one with `isek up -f FOLDER`, or set KUBECONFIG"
            ) from None
        configuration.retries = False  # who waits at a terminal tries again
        own = chosen.get("context", {}).get("namespace")
        return cls(client.ApiClient(configuration), chosen["name"], namespace or own or "default")

    def connect_to_agent(self, name: str, namespace: str) -> NodeConnection:
        """A ready pod of the agent or team; else its condition says why there is none."""
        resource = self._find(name, namespace)
        pod = self._ready_pod(namespace, [resource])
        if pod is None:
            raise click.ClickException(f"{resource['kind']} {name} is not ready: {_why_not_ready(resource)}")
        return self._forward(pod)

    def connect_to_mesh(self, name: str) -> NodeConnection:
        """A ready pod of anything in the mesh."""
        users = [user for plural in USERS for user in self._list(plural, self.namespace)]
        mesh = f"{self.namespace}/{name}"
        mine = [user for user in users if user.get("status", {}).get("mesh") == mesh]
        if not mine:
            others = sorted({user["status"]["mesh"] for user in users if user.get("status", {}).get("mesh")})
            raise click.ClickException(
                f"nothing in namespace {self.namespace!r} of {self._where} uses mesh {mesh}; "
                + (f"in use: {', '.join(others)}" if others else "see `kubectl get isek`")
            )
        pod = self._ready_pod(self.namespace, mine)
        if pod is None:
            reasons = "; ".join(f"{user['metadata']['name']}: {_why_not_ready(user)}" for user in mine[:3])
            raise click.ClickException(f"no node of mesh {mesh} is ready: {reasons}")
        return self._forward(pod)

    def _find(self, name: str, namespace: str) -> Manifest:
        for plural in HOSTED:
            with self._explained():
                try:
                    found: Any = self._custom.get_namespaced_custom_object(
                        GROUP, VERSION, namespace, plural, name, _request_timeout=TIMEOUT_SECONDS
                    )
                except ApiException as error:
                    if error.status != 404:
                        raise
                else:
                    return dict(found)
        listed = [each for plural in HOSTED for each in self._list(plural, namespace)]
        known = sorted(f"{each['metadata']['name']}.{namespace}" for each in listed)
        raise not_found(name, namespace, known, self._where)

    def _list(self, plural: str, namespace: str) -> list[Manifest]:
        with self._explained():
            listed: Any = self._custom.list_namespaced_custom_object(
                GROUP, VERSION, namespace, plural, _request_timeout=TIMEOUT_SECONDS
            )
        return list(listed["items"])

    def _ready_pod(self, namespace: str, resources: list[Manifest]) -> Any:
        for selector in dict.fromkeys(resource.get("status", {}).get("selector") for resource in resources):
            if not selector:
                continue
            with self._explained():
                pods: Any = self._core.list_namespaced_pod(
                    namespace, label_selector=selector, _request_timeout=TIMEOUT_SECONDS
                )
            ready = [pod for pod in pods.items if _is_ready(pod)]
            if ready:
                return max(ready, key=lambda pod: pod.metadata.creation_timestamp)
        return None

    def _forward(self, pod: Any) -> NodeConnection:
        name, namespace = pod.metadata.name, pod.metadata.namespace
        with self._explained():
            forward = stream.portforward(
                self._core.connect_get_namespaced_pod_portforward, name, namespace, ports=str(HTTP_PORT)
            )
        connection = HTTPConnection("localhost", HTTP_PORT)
        connection.sock = forward.socket(HTTP_PORT)
        return NodeConnection(f"pod {namespace}/{name}", connection, lambda: forward.error(HTTP_PORT))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in one line what went wrong with the API server, and what to do."""
        try:
            yield
        except ApiException as error:
            if error.status == 404:
                raise click.ClickException(
                    f"{self._where} does not know Isek's resources; "
                    "`helm install isek charts/isek-operator -n isek-system --create-namespace` installs them"
                ) from None
            reason = " ".join(str(error.reason).split())
            if error.status in {401, 403}:
                raise click.ClickException(
                    f"{self._where} refuses: {error.status} {reason}; see `kubectl auth can-i --list`"
                ) from None
            raise click.ClickException(f"{self._where} answers with an error: {error.status} {reason}") from None
        except (HTTPError, OSError) as error:
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            raise click.ClickException(
                f"{self._where} does not answer: {reason}; see `kubectl cluster-info`, or choose another with --context"
            ) from None


def _is_ready(pod: Any) -> bool:
    conditions = pod.status.conditions or ()
    return pod.metadata.deletion_timestamp is None and any(
        condition.type == "Ready" and condition.status == "True" for condition in conditions
    )


def _why_not_ready(resource: Manifest) -> str:
    conditions = {each["type"]: each for each in resource.get("status", {}).get("conditions", ())}
    for kind in ("Ready", "ResolvedRefs"):
        condition = conditions.get(kind)
        if condition and condition["status"] != "True":
            return f"{condition['reason']}: {condition['message']}"
    if resource.get("status", {}).get("replicas") == 0:
        return "it is scaled to 0; `kubectl scale` gives it pods"
    return "it has no ready pod yet; see `kubectl get isek`"
