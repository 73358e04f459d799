"""Who may do what in an etcd."""

from isek_operator.decide.etcd.ruling import Plan, step
from isek_operator.decide.etcd.situation import Situation
from isek_operator.decide.etcd.steps import RestrictNodes
from isek_operator.decide.reasons import Reason


def restrict_nodes(situation: Situation) -> Plan | None:
    """Nodes may touch what is below their mesh's prefix, and nothing else."""
    view = situation.view
    if view is None or (view.auth_enabled and view.granted == {situation.prefix}):
        return None
    note = f"restricting nodes to the keys below {situation.prefix}"
    return step(situation, RestrictNodes(situation.prefix), Reason.ACCESS_PENDING, note)
