"""Which etcd may take the place of which: one minor version up at a time, none down.

https://etcd.io/docs/v3.6/upgrades/upgrading-etcd/
"""

import re

from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def lowest_version(view: EtcdView | None) -> str:
    """Of the members that answer: what the cluster as a whole speaks; empty: nobody answers."""
    versions = [each.version for each in (view.members if view else ()) if each.version]
    return min(versions, key=_ordered, default="")


def minor_version(text: str) -> tuple[int, int] | None:
    """Major and minor version of ``3.6.8``, or of an image with such a tag; None: it does not tell."""
    name, _, tag = text.partition("@")[0].rpartition(":")
    found = _VERSION.match(tag if name else text)
    return (int(found[1]), int(found[2])) if found else None


def _ordered(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(map(int, found.groups())) if found else ()


def refusal(running: str, image: str) -> Problem | None:
    """Why members of a running version cannot be replaced by this image; None: they can, as far as is known.

    Another patch release of the same minor version may be taken, also an older one.
    """
    now, then = minor_version(running), minor_version(image)
    if now is None or then is None or now == then or then == (now[0], now[1] + 1):
        return None
    step = f"etcd {now[0]}.{now[1]} -> {then[0]}.{then[1]}"
    if then < now:
        fitting = f"{now[0]}.{now[1]} or {now[0]}.{now[1] + 1}"
        why = f"goes back, which etcd cannot; set spec.etcd.image to an image of etcd {fitting}"
    else:
        why = f"skips a minor version; set spec.etcd.image to an image of etcd {now[0]}.{now[1] + 1} first"
    return Problem(Reason.UPGRADE_REFUSED, f"refused: {step} {why}")
