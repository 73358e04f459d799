"""All objects around the pods of an agent, a team or a node."""

from isek_operator.decide.workload import Workload
from isek_operator.manifests.config_map import config_map
from isek_operator.manifests.deployment import deployment
from isek_operator.manifests.meta import Manifest
from isek_operator.manifests.network_policy import workload_network_policy
from isek_operator.manifests.pod_disruption_budget import workload_disruption_budget
from isek_operator.manifests.service import workload_service
from isek_operator.manifests.service_account import workload_service_account
from isek_operator.settings import OperatorSettings


def workload_manifests(workload: Workload, settings: OperatorSettings) -> tuple[Manifest, ...]:
    """In the order of their making: what pods mount, and are, comes before them."""
    own_account = workload.template.service_account_name is None
    return (
        config_map(workload),
        *([workload_service_account(workload)] if own_account else []),
        workload_service(workload),
        workload_disruption_budget(workload),
        workload_network_policy(workload, settings),
        deployment(workload, settings),
    )
