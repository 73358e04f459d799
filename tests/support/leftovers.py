"""What is left in a namespace that nobody uses any more."""

from tests.support.kubectl import Kubectl

ALWAYS_THERE = {"serviceaccount/default", "configmap/kube-root-ca.crt"}


async def leftovers(kubectl: Kubectl) -> set[str]:
    """Name all objects of all kinds in the namespace, but events, and what Kubernetes keeps in every namespace."""
    listable = await kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name")
    kinds = [kind for kind in listable.split() if kind.partition(".")[0] != "events"]
    found = await kubectl("get", ",".join(kinds), "--output=name", "--ignore-not-found")
    return set(found.split()) - ALWAYS_THERE
