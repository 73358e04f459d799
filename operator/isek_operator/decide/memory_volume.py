"""The volume of an agent's memory. What is on it is worth more than what a specification says of it: it is never
replaced, and grows at most."""

from dataclasses import dataclass, replace

from isek.api import IsekAgent, Resource
from isek.api.memory import MemoryStorage

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.world import World
from isek_operator.manifests.memory_claim import memory_claim, memory_claim_name
from isek_operator.manifests.meta import role_label
from isek_operator.manifests.quantity import is_larger

NOT_THERE_YET = frozenset({Reason.ROLLING_OUT, Reason.REPLICAS_NOT_READY, Reason.MESH_NOT_READY})


@dataclass(frozen=True)
class MemoryVolume:
    """The volume that is asked for, and the claim that is there."""

    agent: IsekAgent
    asked: MemoryStorage
    claim: Manifest | None
    """As it is; None: there is none yet."""

    @property
    def wish(self) -> Manifest:
        """The claim as it can be: the API server lets it grow once it has a volume, and change in nothing else."""
        size, class_name = self.asked.size, self._class_name or self.asked.class_name
        if self.claim and not (is_larger(size, self._size) and self._phase == "Bound"):
            size = self._size
        return memory_claim(self.agent, size, class_name, kept=self.asked.when_deleted == "Retain")

    def explain(self, verdict: Verdict) -> Verdict:
        """``verdict``, or what the volume has to do with it."""
        if verdict.ready:
            return Verdict.stuck(self._problem) if self._problem else verdict
        if self.claim is None or self._phase == "Bound" or verdict.reason not in NOT_THERE_YET:
            return verdict
        name = memory_claim_name(self.agent)
        unbound = f"PersistentVolumeClaim {name!r} is {self._phase}, see kubectl describe pvc {name}"
        return replace(verdict, message=f"{verdict.message}; {unbound}")

    @property
    def _problem(self) -> Problem | None:
        """What is asked for and cannot be."""
        name = memory_claim_name(self.agent)
        if self._class_name and self.asked.class_name not in {None, self._class_name}:
            what = f"className {self.asked.class_name!r}, and PersistentVolumeClaim {name!r} has {self._class_name!r}"
        elif self.claim and is_larger(self._size, self.asked.size):
            what = f"size {self.asked.size}, and PersistentVolumeClaim {name!r} has {self._size}"
        else:
            return None
        message = (
            f"spec.memory.storage asks for {what}; a volume never shrinks and never changes its class: set "
            "spec.memory.storage back, or name a claim of your own in spec.memory.claim"
        )
        return Problem(Reason.VOLUMES_KEPT, message)

    @property
    def _size(self) -> str:
        size: str = self.claim["spec"]["resources"]["requests"]["storage"] if self.claim else ""
        return size

    @property
    def _class_name(self) -> str | None:
        return self.claim["spec"].get("storageClassName") if self.claim else None

    @property
    def _phase(self) -> str:
        phase: str = ((self.claim or {}).get("status") or {}).get("phase", "Pending")
        return phase


def gather_memory_volume(resource: Resource, world: World) -> MemoryVolume | None:
    """The volume that is to be made for ``resource``, and what there is of it; None: there is none to be."""
    memory = resource.spec.memory if isinstance(resource, IsekAgent) else None
    if not isinstance(resource, IsekAgent) or memory is None or memory.volume is None:
        return None
    name = memory_claim_name(resource)
    labelled = world.labelled("PersistentVolumeClaim", resource.namespace, role_label(resource), resource.name)
    claim = next((each for each in labelled if each["metadata"]["name"] == name and _may_be_of(resource, each)), None)
    return MemoryVolume(resource, memory.volume, claim)


def _may_be_of(agent: IsekAgent, claim: Manifest) -> bool:
    """Not that of a former agent of the name, which is on its way out."""
    controllers = (each for each in claim["metadata"].get("ownerReferences") or () if each.get("controller"))
    return all(each["uid"] == agent.metadata.uid for each in controllers)
