"""What an operator would make for resources, in a cluster."""

from collections.abc import Iterable, Iterator, Sequence

from isek.api import IsekMesh, Resource

from isek_operator.decide.outcome import Outcome
from isek_operator.decide.references import MeshName
from isek_operator.local.world import LocalWorld
from isek_operator.manifests.etcd import etcd_name
from isek_operator.reconcile.decisions import Decide


def children(
    outcomes: Iterable[tuple[Resource, Outcome]], written: Iterable[Resource], decide: Decide, world: LocalWorld
) -> Iterator[tuple[str, Sequence[str]]]:
    """``<kind> <name>`` of each object, by ``<kind> <name>`` of its resource.

    Args:
        outcomes: the decision about each resource, in a world in which a registry stands in for every etcd.
        written: the resources as they are written.
        decide: decides about one that was written otherwise.
        world: all of them.
    """
    external = {MeshName.of(each): each for each in written if isinstance(each, IsekMesh) and each.spec.etcd.external}
    for resource, outcome in outcomes:
        name = f"{resource.kind} {resource.name}"
        if not isinstance(resource, IsekMesh):
            yield name, _first(outcome)
        elif MeshName.of(resource) in external:
            yield name, _first(decide(external[MeshName.of(resource)], world))
        else:  # the last two wait for the certificates
            yield name, (*_first(outcome), f"ConfigMap {etcd_name(resource)}", f"StatefulSet {etcd_name(resource)}")


def _first(outcome: Outcome) -> Sequence[str]:
    made = (*(each.manifest for each in outcome.secrets), *(outcome.wish or ()))
    return tuple(f"{each['kind']} {each['metadata']['name']}" for each in made)
