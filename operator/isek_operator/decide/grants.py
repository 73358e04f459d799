"""Which namespaces' resources a mesh lets in (``allowedNamespaces``, after the Gateway API's ``allowedRoutes``)."""

from collections.abc import Mapping

from isek.api import IsekMesh
from isek.api.mesh import LabelSelector, LabelSelectorRequirement

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.world import World


def refusal(mesh: IsekMesh, namespace: str, world: World) -> Problem | None:
    """Why ``mesh`` does not let the resources of ``namespace`` in; None: it does."""
    allowed = mesh.spec.allowed_namespaces
    if namespace == mesh.namespace or allowed.from_ == "All":
        return None
    who = f"IsekMesh {mesh.name!r} of namespace {mesh.namespace!r}"
    if allowed.selector is None:
        return _not_allowed(f"{who} lets in resources of its own namespace only; set its spec.allowedNamespaces")
    labels = world.namespace_labels(namespace)
    if labels is None:
        return _not_allowed(
            f"{who} selects namespaces by their labels, and those of {namespace!r} are not known: an operator that "
            "works in some namespaces only may not read them; set from: All in its spec.allowedNamespaces"
        )
    if not selects(allowed.selector, labels):
        return _not_allowed(
            f"{who} does not select namespace {namespace!r}; label the namespace, or change the mesh's "
            "spec.allowedNamespaces"
        )
    return None


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected (metav1.LabelSelector: all of it has to hold)."""
    return selector.match_labels.items() <= labels.items() and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None


def _not_allowed(message: str) -> Problem:
    return Problem(Reason.MESH_NOT_ALLOWED, message)
