"""What the operator has written down about the members of an etcd: kept on the ConfigMap that configures them."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from isek_operator.decide.outcome import Manifest

MEMBERSHIP = "isek.io/etcd-members"
"""Annotation of the ConfigMap, and of the StatefulSet as a second copy, for when somebody deletes the first."""


class Admission(StrEnum):
    """With what a member may start."""

    NEW = "New"
    """With an empty volume: it has never run, as far as is known."""
    JOINED = "Joined"
    """Only with its data: without it, it would vote on what it has forgotten."""
    REMOVED = "Removed"
    """Not before it is added again: the cluster does not list it any more."""


@dataclass(frozen=True)
class Member:
    """The member in the pod of this ordinal; its place in the tuple is the ordinal."""

    id: str
    """Its member id, hexadecimal; empty: the first one, which makes the cluster and is not told its id."""
    admission: Admission

    @classmethod
    def added(cls, id_: int) -> Self:
        """One that was added to a running cluster, and has not started yet."""
        return cls(f"{id_:x}", Admission.NEW)


@dataclass(frozen=True)
class Membership:
    """The members that have a configuration, and so may have a pod."""

    token: str
    """Names this cluster; an empty one that takes its place gets another. Volumes are kept apart by it."""
    members: tuple[Member, ...]

    @classmethod
    def first(cls, token: str) -> Self:
        """A new cluster begins with one member."""
        return cls(token, (Member("", Admission.NEW),))

    @classmethod
    def of(cls, manifest: Manifest | None) -> Self | None:
        """What is written down on a live object; None: nothing, or what somebody has edited into no record."""
        annotations = (manifest or {}).get("metadata", {}).get("annotations") or {}
        if MEMBERSHIP not in annotations:
            return None
        try:
            record = json.loads(annotations[MEMBERSHIP])
            members = tuple(Member(each["id"], Admission(each["admission"])) for each in record["members"])
            return cls(record["token"], members)
        except (ValueError, KeyError, TypeError):
            return None

    def to_annotation(self) -> str:
        """What ``of`` reads."""
        members = [{"id": each.id, "admission": each.admission.value} for each in self.members]
        return json.dumps({"token": self.token, "members": members}, separators=(",", ":"))

    @property
    def untouched(self) -> bool:
        """Whether the cluster has never been seen to run."""
        return self == Membership.first(self.token)

    @property
    def listed(self) -> tuple[int, ...]:
        """The ordinals of those that the cluster lists: no more and no fewer may be told to one that joins."""
        return tuple(n for n, each in enumerate(self.members) if each.admission is not Admission.REMOVED)

    def successor(self) -> Self:
        """An empty cluster that takes the place of this one: the token is ``<uid>-1``, then ``<uid>-2`` and so on."""
        uid, _, number = self.token.rpartition("-")
        return self.first(f"{uid}-{int(number) + 1}")

    def having(self, ordinal: int, member: Member) -> Self:
        """With another member in the place of this ordinal, or one more at the end."""
        members = (*self.members[:ordinal], member, *self.members[ordinal + 1 :])
        return replace(self, members=members)

    def without_last(self) -> Self:
        """With one member less."""
        return replace(self, members=self.members[:-1])
