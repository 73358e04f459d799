"""The ServiceAccount of a workload."""

from isek_operator.decide.workload import Workload
from isek_operator.manifests.meta import Manifest, child_meta


def service_account(workload: Workload) -> Manifest:
    """An identity that may do nothing, so that rights given to ``default`` do not reach agents."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": child_meta(workload.owner, workload.name),
        "automountServiceAccountToken": False,
    }
