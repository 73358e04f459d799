"""All that a decision about the members of an etcd depends on, gathered once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from isek_operator.decide.etcd.membership import Membership
from isek_operator.decide.etcd.view import MOST_BEHIND, EtcdView, MemberView


@dataclass(frozen=True)
class Pod:
    """The pod of a member."""

    uid: str
    ready: bool = False
    """Whether it reads through the quorum, as the kubelet sees it."""
    ending: bool = False
    outdated: bool = False
    """Whether it was made by another template than the StatefulSet has now."""
    upgrade: bool = False
    """Whether nothing but the operator's version can have changed the template since."""
    token: str = ""
    """The cluster that it was made for."""
    data_lost: bool = False
    """Whether its guard keeps it from starting, since it has joined and has no data."""
    trouble: str = ""
    """Why it does not run, as far as the pod says."""


@dataclass(frozen=True)
class Situation:
    """An etcd that the operator provisions: the wish, what is written down, the pods, and what it says of itself."""

    name: str
    """The pods are called by it and their ordinal."""
    see: str
    """Where a person looks for what is wrong with the pods."""
    wanted: int
    """How many members there are to be."""
    membership: Membership
    """What is written down, and acknowledged by the API server."""
    peer_urls: tuple[str, ...]
    """By ordinal, for as many members as there can be."""
    view: EtcdView | None
    """None: it was never asked."""
    pods: Mapping[int, Pod] = field(default_factory=dict)
    """By ordinal."""
    prefix: str = "/"
    """The keys that nodes may read and write."""
    quota_bytes: int = 256 * 1024 * 1024
    """The size of the database at which etcd refuses writes."""
    unavailable_seconds: float = 0.0
    """For how long EtcdAvailable has been False."""
    may_upgrade: bool = False
    """Whether it is this etcd's turn to have pods replaced since the operator's version is another."""
    lost_seconds: float = 300.0
    """After how long without a quorum an empty etcd takes its place."""

    def pod_name(self, ordinal: int) -> str:
        """The member's pod."""
        return f"{self.name}-{ordinal}"

    def pod_text(self, ordinal: int) -> str:
        """The member's pod, with what keeps it from running."""
        pod = self.pods.get(ordinal)
        return f"{self.pod_name(ordinal)} ({pod.trouble})" if pod and pod.trouble else self.pod_name(ordinal)

    @property
    def quorum(self) -> bool:
        """Whether the cluster answers, through its quorum; without pods of it, it was the word of a former one."""
        has_pods = any(pod.token == self.membership.token for pod in self.pods.values())
        return self.view is not None and self.view.quorum and has_pods

    @cached_property
    def listed(self) -> dict[int, MemberView]:
        """The members that the cluster lists, by the ordinal of their pod."""
        ordinals = {url: ordinal for ordinal, url in enumerate(self.peer_urls)}
        members = self.view.members if self.view else ()
        return {ordinals[each.peer_url]: each for each in members if each.peer_url in ordinals}

    @cached_property
    def strangers(self) -> tuple[MemberView, ...]:
        """Members that are none of the pods."""
        members = self.view.members if self.view else ()
        return tuple(each for each in members if each.peer_url not in self.peer_urls)

    @cached_property
    def voters(self) -> dict[int, MemberView]:
        """The listed members with a vote."""
        return {ordinal: each for ordinal, each in self.listed.items() if not each.learner}

    @cached_property
    def answering(self) -> frozenset[int]:
        """The ordinals of listed members that answer, follow the leader, have caught up, and go on running."""
        newest = max((each.raft_index for each in self.listed.values()), default=0)
        return frozenset(
            ordinal
            for ordinal, each in self.listed.items()
            if each.reachable
            and each.leader == self.leader_id != 0
            and each.raft_index + MOST_BEHIND >= newest
            and ordinal in self.pods
            and not self.pods[ordinal].ending
        )

    @cached_property
    def leader_id(self) -> int:
        """The member that most follow; 0: none leads."""
        followed = Counter(each.leader for each in self.listed.values() if each.reachable and each.leader)
        return followed.most_common(1)[0][0] if followed else 0

    @cached_property
    def outdated(self) -> frozenset[int]:
        """The ordinals of listed members whose pods are to be replaced now."""
        outdated = {each for each in self.listed if each in self.pods and self.pods[each].outdated}
        return frozenset(each for each in outdated if self.may_upgrade or not self.pods[each].upgrade)

    @property
    def healthy(self) -> bool:
        """Whether each listed member is there and answers."""
        return len(self.answering) == len(self.listed)

    def safe_without(self, ordinal: int) -> bool:
        """Whether the voters that answer are a quorum of those that are left when this one is removed."""
        others = [each for each in self.voters if each != ordinal]
        return sum(1 for each in others if each in self.answering) >= quorum(len(others))

    def answer_text(self) -> str:
        """How many answer of those that are to be."""
        return f"{min(len(self.answering), self.wanted)} of {self.wanted} etcd members answer"


def quorum(members: int) -> int:
    """How many of that many voters decide (Raft)."""
    return members // 2 + 1
