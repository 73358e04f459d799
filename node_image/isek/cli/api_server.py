"""The API server that a kubeconfig leads to.

The kubernetes package reads the kubeconfig, logs in and forwards ports. Its generated classes are left alone: importing
them takes a second.
"""

import json
from typing import Any
from urllib.parse import urlencode

import click
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject
from kubernetes.config.config_exception import ConfigException
from kubernetes.stream.ws_client import PortForward, portforward_call
from urllib3.exceptions import HTTPError
from yaml import YAMLError

TIMEOUT_SECONDS = 10
NO_LOCAL_MESH = "no local mesh is running, and "


class NotFoundError(Exception):
    """The API server has no such object."""


class ApiServer:
    """Reads objects and forwards ports; whatever goes wrong is a ``click.ClickException`` of one line."""

    def __init__(self, configuration: Configuration, context: str, namespace: str) -> None:
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self.name = f"cluster {context!r}"
        """For people."""
        self.namespace = namespace
        """The context's."""

    @classmethod
    def of_kubeconfig(cls, context: str | None) -> "ApiServer":
        """The API server of a kubeconfig's context; None: the current one."""
        try:
            contexts, current = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
            chosen = next(each for each in contexts if each["name"] == context) if context else current
            configuration = Configuration()
            config.load_kube_config(  # type: ignore[no-untyped-call]
                context=chosen["name"], client_configuration=configuration
            )
        except StopIteration:
            known = ", ".join(each["name"] for each in contexts)
            raise click.ClickException(f"the kubeconfig has no context {context!r}; it has {known}") from None
        except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise click.ClickException(
                f"{NO_LOCAL_MESH}the kubeconfig leads to no cluster: {reason}; "
                "start one with `isek up -f FOLDER`, or set KUBECONFIG"
            ) from None
        configuration.retries = False  # who waits at a terminal tries again
        return cls(configuration, chosen["name"], chosen.get("context", {}).get("namespace") or "default")

    def get(self, path: str, *, within: float = TIMEOUT_SECONDS, **query: str) -> Any:
        """The JSON at a path.

        Args:
            within: seconds to answer in.
            query: parameters of the URL.

        Raises:
            NotFoundError: there is nothing.
        """
        url = f"{self._configuration.host}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json", **self._authorization()}
        try:
            response = self._rest.request(  # type: ignore[no-untyped-call]
                "GET", url, headers=headers, _request_timeout=within
            )
            content = response.read()
        except (ApiException, HTTPError, OSError) as error:
            raise self._unreachable(getattr(error, "reason", None) or error) from None
        if response.status == 404:
            raise NotFoundError(path)
        if response.status >= 400:
            raise self._refused(response.status, str(response.reason))
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise click.ClickException(
                f"{self.name} answers with what is no JSON; check the server's address in the kubeconfig"
            ) from None

    def forward(self, namespace: str, pod: str, port: int) -> PortForward:
        """A connection to a port of a pod."""
        query = urlencode({"ports": port})
        url = f"{self._configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/portforward?{query}"
        try:
            forwarded: PortForward = portforward_call(  # type: ignore[no-untyped-call]
                self._configuration, "GET", url, headers=self._authorization()
            )
        except ApiException as error:
            reason = " ".join(str(error.reason).split())
            raise click.ClickException(
                f"no port-forward to pod {namespace}/{pod}: {reason}; see `kubectl auth can-i create pods/portforward`"
            ) from None
        return forwarded

    def _authorization(self) -> dict[str, str]:
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token is None and self._configuration.username:
            token = self._configuration.get_basic_auth_token()
        return {"authorization": token} if token else {}

    def _unreachable(self, reason: object) -> click.ClickException:
        return click.ClickException(
            f"{self.name} does not answer: {' '.join(str(reason).split())}; "
            "see `kubectl cluster-info`, or choose another with --context"
        )

    def _refused(self, status: int, reason: str) -> click.ClickException:
        if status in {401, 403}:
            return click.ClickException(f"{self.name} refuses: {status} {reason}; see `kubectl auth can-i --list`")
        return click.ClickException(f"{self.name} answers with an error: {status} {reason}")
