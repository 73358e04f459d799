"""The ConfigMap that tells a node what it hosts, and its sidecar which relays there are."""

from typing import Any

import yaml
from isek.api import IsekMesh

from isek_operator.decide.access import effective_access
from isek_operator.decide.references import Hosted
from isek_operator.decide.workload import Workload
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.relay import known_relays

HOSTED_FILE = "hosted.yaml"
RELAYS_FILE = "relays"
"""The multiaddrs of relays, one a line. The sidecar reads it again when it changes, so that no pod is made anew."""

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's, where there is one: written in Python, this were half the work of a reconcile."""

_PLACEMENT = ("meshRef", "nodeRef", "replicas", "template")


def hosted_document(resource: Hosted, mesh: IsekMesh) -> dict[str, Any]:
    """What a node has to know of an agent or a team: not where it runs, so that scaling restarts nothing. Who may
    call it is said whole, with what its mesh says for all.

    Secrets stand in it as references only, as in the resource itself.
    """
    document = resource.to_document()
    spec = {key: value for key, value in document["spec"].items() if key not in _PLACEMENT}
    access = effective_access(resource, mesh)
    document["spec"] = spec if access is None else {**spec, "access": access.to_manifest()}
    return document


def hosted_documents(workload: Workload) -> list[dict[str, Any]]:
    """The documents of all that ``workload`` hosts, in an order that does not hang on who came when."""
    hosted = sorted(workload.hosted, key=lambda each: (each.kind, each.name))
    return [hosted_document(each, workload.mesh) for each in hosted]


def config_map(workload: Workload) -> Manifest:
    """``hosted.yaml``: a stream of v1alpha1 documents, as ``isek up`` reads it too; ``relays`` for the sidecar."""
    documents = hosted_documents(workload)
    stream = yaml.dump_all(documents, Dumper=_DUMPER, allow_unicode=True, width=120, explicit_start=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": child_meta(workload.owner, workload.name),
        "data": {
            HOSTED_FILE: stream if documents else "[]\n",
            **({RELAYS_FILE: _relays(workload)} if workload.mesh.spec.p2p.enabled else {}),
        },
    }


def _relays(workload: Workload) -> str:
    return "".join(f"{address}\n" for address in known_relays(workload.mesh)) or "# none\n"
