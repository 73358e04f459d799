"""What the operator has written down about the members of an etcd: kept on the ConfigMap that configures them."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from isek_operator.decide.outcome import Manifest

MEMBERSHIP = "isek.io/etcd-members"
"""Annotation of the ConfigMap."""


class Admission(StrEnum):
    """With what a member may start."""

    NEW = "New"
    """With an empty volume: it has never run, as far as is known."""
    JOINED = "Joined"
    """Only with its data: without it, it would vote on what it has forgotten."""


@dataclass(frozen=True)
class Member:
    """The member in the pod of this ordinal; its place in the tuple is the ordinal."""

    id: str
    """Its member id, hexadecimal; empty: the first one, which makes the cluster and is not told its id."""
    admission: Admission


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
    def of(cls, config_map: Manifest | None) -> Self | None:
        """What is written down on the live ConfigMap; None: nothing."""
        annotations = (config_map or {}).get("metadata", {}).get("annotations") or {}
        if MEMBERSHIP not in annotations:
            return None
        record = json.loads(annotations[MEMBERSHIP])
        members = tuple(Member(each["id"], Admission(each["admission"])) for each in record["members"])
        return cls(record["token"], members)

    def to_annotation(self) -> str:
        """What ``of`` reads."""
        members = [{"id": each.id, "admission": each.admission.value} for each in self.members]
        return json.dumps({"token": self.token, "members": members}, separators=(",", ":"))
