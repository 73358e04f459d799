"""Who may call an agent or a team, with what its mesh says for all."""

from isek.api import IsekMesh
from isek.api.access import Access

from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import Hosted


def effective_access(resource: Hosted, mesh: IsekMesh) -> Access | None:
    """Its own word, and that of ``mesh`` where it says nothing; None: neither says anything."""
    own, default = resource.spec.access, mesh.spec.access
    return own.beside(default) if own else default


def tokens_secret(resource: Hosted, mesh: IsekMesh) -> str | None:
    """The Secret with the tokens of its callers from outside, in its own namespace."""
    access = effective_access(resource, mesh)
    secret = access.outside.tokens_secret if access and access.outside else None
    return secret.name if secret else None


def access_problem(resource: Hosted, mesh: IsekMesh) -> Problem | None:
    """Why nobody can tell who calls. A mesh says so itself; of the two, an agent is a different object."""
    if resource.spec.access is None or mesh.spec.p2p.enabled:
        return None
    message = (
        f"spec.access needs a mesh with libp2p, and IsekMesh {mesh.name!r} has p2p.enabled: false: nobody can tell "
        f"there who calls; set it to true, or remove spec.access"
    )
    return Problem(Reason.CALLERS_UNKNOWN, message)
