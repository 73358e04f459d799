"""A model of etcd, its StatefulSet, its kubelets and an operator that may be killed at any time.

It knows no time: things happen one after the other, in an order that a test chooses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from isek_operator.decide.conditions import Progress
from isek_operator.decide.etcd.membership import Admission, Member, Membership
from isek_operator.decide.etcd.plan import plan
from isek_operator.decide.etcd.ruling import Plan
from isek_operator.decide.etcd.situation import Pod, Situation, quorum
from isek_operator.decide.etcd.steps import (
    Action,
    AddLearner,
    DeletePod,
    MoveLeader,
    Promote,
    RemoveMember,
    RestrictNodes,
)
from isek_operator.decide.etcd.view import EtcdView, MemberView

LARGEST = 5
URLS = tuple(f"https://p-{ordinal}" for ordinal in range(LARGEST))
FIRST_ID = 1
DataDir = tuple[str, str]
"""Token and member id, as it stands in the configuration."""


class BrokenPromiseError(AssertionError):
    """Something that may never happen."""


@dataclass
class Entry:
    """A member in the cluster's own list."""

    ordinal: int
    learner: bool
    started: bool = False


@dataclass
class Cluster:
    """The etcd of one token. ``committed`` writes have been acknowledged to somebody."""

    token: str
    members: dict[int, Entry]
    committed: int = 0
    leader: int = 0
    restricted: bool = False

    @property
    def voters(self) -> list[int]:
        return [id_ for id_, each in self.members.items() if not each.learner]


@dataclass
class Config:
    """What the ConfigMap holds for a pod."""

    token: str
    member: Member
    known: tuple[int, ...]
    """The ordinals that the member is told of."""

    @property
    def data_dir(self) -> DataDir:
        return (self.token, self.member.id)


@dataclass
class LivePod:
    uid: str
    revision: int
    token: str
    config: Config | None
    """As mounted; None: the kubelet has not got to it yet."""
    running: int = 0
    """The id of the member that runs in it; 0: none."""
    data_lost: bool = False
    ending: bool = False


@dataclass
class StatefulSet:
    replicas: int
    revision: int
    token: str


@dataclass
class World:
    """Everything there is. Methods are what may happen."""

    wanted: int = 1
    template: int = 1
    membership: Membership | None = None
    """The ConfigMap."""
    stateful_set: StatefulSet | None = None
    clusters: dict[str, Cluster] = field(default_factory=dict)
    pods: dict[int, LivePod] = field(default_factory=dict)
    volumes: dict[int, dict[DataDir, int]] = field(default_factory=dict)
    """By ordinal: how many writes each data directory holds."""
    seen: dict[int, Pod] = field(default_factory=dict)
    """The pods as the operator's watch has told it."""
    cut_off: set[int] = field(default_factory=set)
    """Ordinals whose pods nobody reaches."""
    late: list[Action] = field(default_factory=list)
    """Requests that timed out and have not taken effect yet."""
    excused: bool = False
    """Whether so many volumes were lost at once that no operator could have kept the data."""
    unavailable_seconds: float = 0.0
    taken: list[Action] = field(default_factory=list)
    ids: int = 100

    # --- etcd ---------------------------------------------------------------------------------------------------

    @property
    def cluster(self) -> Cluster | None:
        return self.clusters.get(self.membership.token) if self.membership else None

    def data_of(self, cluster: Cluster, id_: int) -> int | None:
        """How many writes a member holds; None: its data is lost."""
        entry = cluster.members[id_]
        name = "" if id_ == FIRST_ID else f"{id_:x}"
        return self.volumes.get(entry.ordinal, {}).get((cluster.token, name))

    def up(self, cluster: Cluster, id_: int) -> bool:
        """Whether a member runs and others reach it."""
        entry = cluster.members.get(id_)
        if entry is None or entry.ordinal in self.cut_off:
            return False
        pod = self.pods.get(entry.ordinal)
        return pod is not None and pod.running == id_ and pod.token == cluster.token

    def elect(self) -> Cluster | None:
        """Have a quorum that is there choose a leader; None: there is no quorum."""
        cluster = self.cluster
        if cluster is None:
            return None
        voters = [id_ for id_ in cluster.voters if self.up(cluster, id_)]
        if len(voters) < quorum(len(cluster.voters)):
            cluster.leader = 0
            return None
        held = {id_: self.data_of(cluster, id_) or 0 for id_ in voters}
        if cluster.leader not in voters:
            cluster.leader = max(voters, key=lambda id_: held[id_])
        if held[cluster.leader] < cluster.committed:
            if not self.excused:
                raise BrokenPromiseError(f"of {cluster.committed} writes {held[cluster.leader]} are left")
            cluster.committed = held[cluster.leader]
        return cluster

    def write(self, reaching: Callable[[int], bool] = lambda _: True) -> bool:
        """A client writes: a quorum has it, others by chance. Returns whether the client was told so."""
        cluster = self.elect()
        if cluster is None:
            return False
        written = cluster.committed = cluster.committed + 1
        others = [id_ for id_ in cluster.members if id_ != cluster.leader and self.up(cluster, id_)]
        needed = quorum(len(cluster.voters)) - 1
        self._store(cluster, cluster.leader, written)
        for id_ in others:
            if needed > 0 and not cluster.members[id_].learner:
                needed -= 1
                self._store(cluster, id_, written)
            elif reaching(id_):
                self._store(cluster, id_, written)
        return True

    def replicate(self) -> None:
        """Everybody who is there catches up."""
        cluster = self.elect()
        if cluster is not None:
            for id_ in cluster.members:
                if self.up(cluster, id_):
                    self._store(cluster, id_, cluster.committed)

    def _store(self, cluster: Cluster, id_: int, writes: int) -> None:
        entry = cluster.members[id_]
        entry.started = True
        self.volumes[entry.ordinal][cluster.token, "" if id_ == FIRST_ID else f"{id_:x}"] = writes

    # --- Kubernetes ---------------------------------------------------------------------------------------------

    def controller(self) -> None:
        """The StatefulSet controller makes pods, and ends those that are too many, with their volumes."""
        wished = self.stateful_set
        if wished is None:
            return
        for ordinal in range(wished.replicas):
            if ordinal not in self.pods:
                self.ids += 1
                self.pods[ordinal] = LivePod(f"uid-{self.ids}", wished.revision, wished.token, None)
                self.volumes.setdefault(ordinal, {})
        for ordinal in [each for each in self.pods if each >= wished.replicas]:
            self.end_pod(ordinal)
            self.volumes.pop(ordinal, None)

    def kubelet(self, ordinal: int) -> None:
        """The next thing that the kubelet does for a pod."""
        pod = self.pods.get(ordinal)
        if pod is None:
            return
        if pod.ending:
            del self.pods[ordinal]
        elif pod.config is None or pod.data_lost:
            pod.config = self._configured(ordinal)
            if pod.config is not None:
                self._guard(ordinal, pod, pod.config)
        elif not pod.running:
            self._start(ordinal, pod, pod.config)

    def kubelets(self) -> None:
        """Each kubelet does the next thing."""
        for ordinal in range(LARGEST):
            self.kubelet(ordinal)

    def _configured(self, ordinal: int) -> Config | None:
        membership = self.membership
        if membership is None or ordinal >= len(membership.members):
            return None
        return Config(membership.token, membership.members[ordinal], membership.listed)

    def _guard(self, ordinal: int, pod: LivePod, config: Config) -> None:
        has_data = config.data_dir in self.volumes[ordinal]
        pod.data_lost = not has_data and config.member.admission is not Admission.NEW

    def _start(self, ordinal: int, pod: LivePod, config: Config) -> None:
        volume = self.volumes[ordinal]
        empty = config.data_dir not in volume
        if not config.member.id:
            cluster = self.clusters.get(config.token)
            if cluster is None or (empty and cluster.members.keys() == {FIRST_ID} and not cluster.committed):
                cluster = self.clusters[config.token] = Cluster(config.token, {FIRST_ID: Entry(0, False, True)})
            elif empty and FIRST_ID in cluster.members:
                raise BrokenPromiseError("the first member began anew beside its own cluster")
            if FIRST_ID in cluster.members:
                volume.setdefault(config.data_dir, 0)
                pod.running = FIRST_ID
            return
        cluster, id_ = self.clusters[config.token], int(config.member.id, 16)
        if id_ not in cluster.members:  # it was removed: etcd ends
            pod.config = self._configured(ordinal)
            return
        if empty and not cluster.members[id_].learner:
            raise BrokenPromiseError(f"voter {id_:x} started without its data")
        if empty and {each.ordinal for each in cluster.members.values()} != set(config.known):
            pod.config = self._configured(ordinal)  # etcd ends: "member count is unequal"
            return
        volume.setdefault(config.data_dir, 0)
        pod.running = id_

    def crash(self, ordinal: int) -> None:
        """A member's process dies; its pod stays."""
        if (pod := self.pods.get(ordinal)) is not None:
            pod.running = 0

    def end_pod(self, ordinal: int) -> None:
        """Somebody deletes a pod."""
        if (pod := self.pods.get(ordinal)) is not None:
            pod.ending, pod.running = True, 0

    def lose_volume(self, ordinal: int) -> None:
        """A pod goes, and its volume with it."""
        self.pods.pop(ordinal, None)
        self.volumes.pop(ordinal, None)
        cluster = self.cluster
        if cluster is None:
            return
        whole = [id_ for id_ in cluster.voters if self.data_of(cluster, id_) is not None]
        if len(whole) < quorum(len(cluster.voters)):
            self.excused = True

    # --- the operator -------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """The operator's watch has caught up."""
        wished = self.stateful_set
        self.seen = {
            ordinal: Pod(
                pod.uid,
                ready=self._ready(ordinal, pod),
                ending=pod.ending,
                outdated=wished is not None and pod.revision != wished.revision,
                token=pod.token,
                data_lost=pod.data_lost,
                trouble="data lost" if pod.data_lost else "",
            )
            for ordinal, pod in self.pods.items()
        }

    def _ready(self, ordinal: int, pod: LivePod) -> bool:
        cluster = self.elect()
        return (
            cluster is not None
            and cluster.members.get(pod.running, Entry(-1, True)).ordinal == ordinal
            and (self.up(cluster, pod.running))
        )

    def view(self) -> EtcdView:
        """What etcd says of itself, when it is asked."""
        cluster = self.elect()
        if cluster is None:
            return EtcdView(0.0, quorum=False, error="nobody answers")
        members = []
        for id_, entry in cluster.members.items():
            reachable = self.up(cluster, id_)
            held = self.data_of(cluster, id_) or 0
            name = f"p-{entry.ordinal}" if entry.started else ""
            leader = cluster.leader if reachable else 0
            members.append(MemberView(id_, name, URLS[entry.ordinal], entry.learner, reachable, "3.6.8", leader, held))
        granted = frozenset({"/"}) if cluster.restricted else frozenset()
        return EtcdView(0.0, quorum=True, members=tuple(members), auth_enabled=cluster.restricted, granted=granted)

    def decide(self) -> Plan:
        membership = self.membership or Membership.first("uid-1")
        return plan(
            Situation(
                name="p",
                see="see the pods",
                wanted=self.wanted,
                membership=membership,
                peer_urls=URLS,
                view=self.view(),
                pods=self.seen,
                unavailable_seconds=self.unavailable_seconds,
            )
        )

    def operate(self, *, until: int = 9, effect: str = "now") -> Plan:
        """One run of the operator. It is killed after ``until`` writes; the step takes effect now, late or never."""
        plan = self.decide()
        if until > 0 and self.membership != plan.membership:
            self.check_one_change(self.membership, plan.membership)
            self.membership = plan.membership
        if until > 1:
            self.stateful_set = StatefulSet(len(plan.membership.members), self.template, plan.membership.token)
        if until > 2 and plan.step is not None:
            self.check_voluntary(plan.step.action)
            self.taken.append(plan.step.action)
            if effect == "now":
                self.take_effect(plan.step.action)
            elif effect == "late":
                self.late.append(plan.step.action)
        return plan

    def arrive(self) -> None:
        """A late request takes effect."""
        if self.late:
            self.take_effect(self.late.pop(0))

    def take_effect(self, action: Action) -> None:
        if isinstance(action, DeletePod):
            ordinal = int(action.name.rpartition("-")[2])
            if (pod := self.pods.get(ordinal)) is not None and pod.uid == action.uid:
                self.end_pod(ordinal)
            return
        cluster = self.elect()
        if cluster is None:
            return
        match action:
            case RestrictNodes():
                cluster.restricted = True
            case AddLearner(peer_url):
                ordinal = URLS.index(peer_url)
                listed = cluster.members.values()
                healthy = all(self.up(cluster, id_) for id_ in cluster.voters)  # else etcd refuses: "unhealthy cluster"
                if healthy and all(each.ordinal != ordinal and not each.learner for each in listed):
                    self.ids += 1
                    cluster.members[self.ids] = Entry(ordinal, learner=True)
            case Promote(id_):
                entry = cluster.members.get(id_)
                if (
                    entry is not None
                    and self.up(cluster, id_)
                    and (self.data_of(cluster, id_) or 0) >= cluster.committed
                ):
                    entry.learner = False
            case RemoveMember(id_):
                self._remove(cluster, id_)
            case MoveLeader(_, to):
                if to in cluster.voters and self.up(cluster, to) and self.data_of(cluster, to) == cluster.committed:
                    cluster.leader = to
            case _:
                raise AssertionError(f"the model knows nothing of {action}")

    def _remove(self, cluster: Cluster, id_: int) -> None:
        entry = cluster.members.get(id_)
        if entry is None:
            return
        others = [each for each in cluster.voters if each != id_]
        if not entry.learner and sum(self.up(cluster, each) for each in others) < quorum(len(others)):
            return  # --strict-reconfig-check
        del cluster.members[id_]
        pod = self.pods.get(entry.ordinal)
        if pod is not None and pod.running == id_:
            pod.running = 0

    # --- what may never be --------------------------------------------------------------------------------------

    def check_one_change(self, before: Membership | None, after: Membership) -> None:
        if before is None or before.token != after.token:
            return
        changed = sum(a != b for a, b in zip(before.members, after.members, strict=False))
        if changed + max(len(after.members) - len(before.members), 0) > 1:
            raise BrokenPromiseError(f"more than one change at once: {before} -> {after}")

    def check_voluntary(self, action: Action) -> None:
        """No step of the operator's takes away a quorum that is there; a member without others may be restarted."""
        cluster = self.elect()
        if cluster is None:
            return
        voters = set(cluster.voters)
        up = {id_ for id_ in voters if self.up(cluster, id_)}
        match action:
            case DeletePod(name):
                left = {id_ for id_ in up if cluster.members[id_].ordinal != int(name.rpartition("-")[2])}
                if len(left) < quorum(len(voters)) and left != up and len(voters) > 1:
                    raise BrokenPromiseError(f"{action} takes the quorum away")
            case RemoveMember(id_) if id_ in voters:
                if not voters - {id_} or len(up - {id_}) < quorum(len(voters) - 1):
                    raise BrokenPromiseError(f"{action} takes the quorum away")
            case AddLearner():
                if any(each.learner for each in cluster.members.values()):
                    raise BrokenPromiseError("a learner was added beside another")
            case _:
                pass

    # --- the end of all faults ----------------------------------------------------------------------------------

    def settle(self, *, rounds: int = 400) -> Plan:
        """Nothing goes wrong any more: everybody does what they do, until nothing is left to be done."""
        self.cut_off.clear()
        while self.late:
            self.arrive()
        for _ in range(rounds):
            plan = self.round()
            if plan.verdict.progress is Progress.DONE and plan.step is None and self.settled:
                return plan
        raise BrokenPromiseError(f"it does not settle: {plan}; {self}")

    def round(self) -> Plan:
        """Everybody does once what they do."""
        self.watch()
        plan = self.operate()
        self.unavailable_seconds = self.unavailable_seconds + 10 if self.elect() is None else 0.0
        self.controller()
        self.kubelets()
        self.replicate()
        return plan

    @property
    def settled(self) -> bool:
        cluster = self.elect()
        return (
            cluster is not None
            and sorted(each.ordinal for each in cluster.members.values()) == list(range(self.wanted))
            and len(cluster.voters) == self.wanted
            and all(self.up(cluster, id_) for id_ in cluster.members)
            and self.pods.keys() == set(range(self.wanted))
            and all(pod.revision == self.template for pod in self.pods.values())
            and self.membership is not None
            and len(self.membership.members) == self.wanted
        )
