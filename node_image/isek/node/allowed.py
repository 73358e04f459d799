"""Which agents of the mesh may call which, as ``spec.access.agents`` says."""

from isek.api.access import AllowedAgent
from isek.errors import CallError
from isek.node.hosted import Built


def check_agent(hosted: Built, caller: str | None, namespace: str) -> None:
    """Let pass who may call ``hosted``.

    Args:
        hosted: who is called.
        caller: the agent or team that calls, by its address; None: only its node is known.
        namespace: of that node, in which all it hosts lives.

    Raises:
        CallError: ``Forbidden``.
    """
    agents = hosted.access.agents
    if agents is None or agents.from_ == "Mesh":
        return
    if caller == hosted.address:  # its own replicas hand on to each other what is about tasks
        return
    if agents.from_ == "Namespace" and namespace == hosted.namespace:
        return
    if any(_means(allowed, caller, namespace, hosted.namespace) for allowed in agents.allow or ()):
        return
    raise CallError(
        "Forbidden",
        f"{caller or f'a node of namespace {namespace!r}'} may not call {hosted.address}",
        hint=f"let it in spec.access.agents of {hosted.address}, or of its mesh",
        status=403,
    )


def _means(allowed: AllowedAgent, caller: str | None, namespace: str, own_namespace: str) -> bool:
    if namespace != (allowed.namespace or own_namespace):
        return False
    return allowed.name is None or caller == f"{allowed.name}.{namespace}"
