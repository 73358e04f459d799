"""Where the API server is and who we are: from the pod's service account, else from a kubeconfig."""

import ssl
from dataclasses import dataclass

import yaml
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException


class NoClusterError(Exception):
    """No cluster is configured; the message says what to do."""


@dataclass(frozen=True)
class Credentials:
    """A connection's address and identity."""

    configuration: Configuration

    @classmethod
    def find(cls) -> "Credentials":
        """The service account's inside a pod; else those of the kubeconfig that ``KUBECONFIG`` names, or the usual one.

        Raises:
            NoClusterError: neither is there, or it cannot be used.
        """
        configuration = Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            try:
                config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
                reason = " ".join(str(error).split())
                raise NoClusterError(
                    f"no cluster to work on: {reason}; run in a pod with a service account, or set KUBECONFIG"
                ) from None
        return cls(configuration)

    @property
    def server(self) -> str:
        """The address, such as ``https://10.0.0.1:443``."""
        return str(self.configuration.host).rstrip("/")

    def authorization(self) -> str | None:
        """The ``Authorization`` header of the next call. A rotated token is read again."""
        token = self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token is None and self.configuration.username:
            token = self.configuration.get_basic_auth_token()
        return token or None

    def ssl_context(self) -> ssl.SSLContext:
        """Verifies the server by the cluster's authority; presents the client certificate where there is one."""
        configuration = self.configuration
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:  # insecure-skip-tls-verify in the kubeconfig
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
