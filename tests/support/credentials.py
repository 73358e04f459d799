"""Credentials for what is tested inside the test's own process, where ``KUBECONFIG`` was read long ago."""

from pathlib import Path

from isek_operator.cluster.credentials import Credentials
from kubernetes import config
from kubernetes.client import Configuration


def credentials_of(kubeconfig: Path) -> Credentials:
    """What the operator would find with that ``KUBECONFIG``."""
    configuration = Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(kubeconfig), client_configuration=configuration
    )
    return Credentials(configuration)
