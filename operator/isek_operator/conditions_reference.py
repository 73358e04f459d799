"""Writes docs/reference/conditions.md from the code: ``python -m isek_operator.conditions_reference FILE``."""

import sys

from isek.api import KINDS
from isek.generated import write_or_check

from isek_operator.decide.reasons import ConditionType, Reason

CONDITIONS: dict[ConditionType, str] = {
    "Ready": "It does what its specification asks for: its pods, or those of the IsekNode that hosts it, answer. "
    "On a mesh: all etcd members answer.",
    "Reconciling": "It is on its way there and needs nobody. The condition stands there only while it is true.",
    "Stalled": "Nothing happens until somebody mends the cause. The condition stands there only while it is true.",
    "ResolvedRefs": "All that it refers to exists and may be used.",
    "EtcdAvailable": "Enough etcd members answer for nodes to register and to find each other.",
    "RelaysAvailable": "A relay answers at least. The condition stands there where `p2p.relays` asks for some.",
    "NetworkKeyCurrent": "The private network key is the one that was asked for, and no other is accepted. The "
    "condition stands there where the operator makes the key.",
}

HEAD = """\
<!-- Generated from operator/isek_operator by `make generate`. Do not edit. -->
# Conditions, reasons and events

What a resource says about itself, what it means, and what to do. In a terminal: `kubectl get isek -o wide`, and
`kubectl describe isekagent researcher` for the messages, which name the object and the fix.

## Conditions
Each carries the `observedGeneration` that it was judged for, a reason and a message. Waiting for one:
`kubectl wait --for=condition=Ready isekagent/researcher`.

| type | of | true means |
|---|---|---|
"""

KSTATUS = """
They follow [kstatus](https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md), so that Flux,
`kpt` and others know without a rule of their own how a resource stands:

| kstatus | when |
|---|---|
| Current | `Ready` is true |
| InProgress | `Reconciling` is true, or `status.observedGeneration` is behind `metadata.generation` |
| Failed | `Stalled` is true |
| Terminating | it is being deleted |
"""

EVENTS = """
## Events
`kubectl events --for isekagent/researcher` shows what happened. One that comes again within six minutes counts up the
series of the first one, with at most one write a minute.

| when | type | reason |
|---|---|---|
| `Stalled` appears, or its reason changes | Warning | that of `Stalled` |
| `EtcdAvailable` is lost, or the reason why it is missing changes | Warning | that of `EtcdAvailable` |
| `EtcdAvailable` becomes true, or its reason changes | Normal | that of `EtcdAvailable` |
| `Ready` becomes true | Normal | that of `Ready` |
| `Ready` is lost | Warning; Normal while pods roll out or etcd grows or shrinks | that of `Ready` |
| the mesh `default` is made for it | Normal | `DefaultMeshMade` |
| a step is taken with the etcd of a mesh | Normal | that of the step, such as `MemberJoining` |
| a member of an etcd gives back room | Normal | `Defragmenting` |
| something it needs was changed or deleted, and is put back | Warning | `ChildPutBack` |
"""

REASONS = """
## Reasons
| reason | of | in | means | what to do |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return "".join((HEAD, *_conditions(), KSTATUS, EVENTS, REASONS, *_reasons()))


def _conditions() -> list[str]:
    return [_row(f"`{type_}`", _kinds(_having(type_)), text) for type_, text in CONDITIONS.items()]


def _reasons() -> list[str]:
    return [
        _row(f"`{reason}`", _kinds(reason.kinds), _where(reason), reason.meaning, reason.cure)
        for reason in sorted(Reason)
    ]


def _where(reason: Reason) -> str:
    return ", ".join(reason.conditions) or "events"


def _having(type_: ConditionType) -> tuple[str, ...]:
    kinds = {kind for reason in Reason if type_ in reason.conditions for kind in reason.kinds}
    return tuple(kind for kind in KINDS if kind in kinds)


def _kinds(kinds: tuple[str, ...]) -> str:
    return "all" if set(kinds) == set(KINDS) else ", ".join(kinds)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.exit(write_or_check(sys.argv[1:], lambda path: {path: page()}))
