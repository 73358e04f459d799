"""What runs in pods of a custom resource: the input of the builders."""

from dataclasses import dataclass

from isek.api import IsekAgent, IsekMesh, IsekNode
from isek.api.workload import Limits, PodTemplate

from isek_operator.decide.code import CodeDigests
from isek_operator.decide.destinations import Destination
from isek_operator.decide.references import Hosted, User
from isek_operator.manifests.memory_claim import memory_claim_name
from isek_operator.manifests.meta import role, role_label, workload_name

_NO_TEMPLATE, _NO_LIMITS = PodTemplate(), Limits()


@dataclass(frozen=True)
class Workload:
    """The pods of an agent, of a team, or of a node with all that it hosts."""

    owner: User
    hosted: tuple[Hosted, ...]
    mesh: IsekMesh
    network_key: str | None
    """The uid of the Secret with the key that the operator made of the mesh's private network; None: there is none."""
    destinations: frozenset[Destination] = frozenset()
    """What its pods have to reach beyond the mesh."""
    code: CodeDigests = ()

    @property
    def role(self) -> str:
        """agent, team or node."""
        return role(self.owner)

    @property
    def name(self) -> str:
        """The name of all its objects."""
        return workload_name(self.owner)

    @property
    def namespace(self) -> str:
        """The namespace of all its objects."""
        return self.owner.namespace

    @property
    def selector(self) -> dict[str, str]:
        """The labels that select its pods."""
        return {role_label(self.owner): self.owner.name}

    @property
    def replicas(self) -> int:
        """Pods that are wished for."""
        return self.owner.spec.replicas

    @property
    def template(self) -> PodTemplate:
        """What the user wants the pods to look like."""
        return self.owner.spec.template or _NO_TEMPLATE

    @property
    def shared(self) -> bool:
        """Whether one of the hosted must not be harmed by what is wrong with another."""
        return isinstance(self.owner, IsekNode)

    @property
    def memory_claim(self) -> str | None:
        """The PersistentVolumeClaim with the memory of an agent in SQLite, which one pod at a time may use."""
        if not isinstance(self.owner, IsekAgent) or self.owner.spec.memory is None:
            return None
        memory = self.owner.spec.memory
        if memory.claim is not None:
            return memory.claim.name
        return memory_claim_name(self.owner) if memory.volume else None

    @property
    def longest_run_seconds(self) -> int:
        """How long a run may take."""
        return max((each.spec.limits.timeout_seconds for each in self.hosted), default=_NO_LIMITS.timeout_seconds)
