"""The watches, by Kopf: every event goes into the store, and what it concerns into the queue. Nothing else."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import kopf

from isek_operator.cluster.credentials import Credentials
from isek_operator.decide.outcome import Manifest
from isek_operator.handlers.session import session
from isek_operator.handlers.storages import NoDiffBase, NoProgress
from isek_operator.intake import Intake
from isek_operator.keys import key_of
from isek_operator.kinds import WATCHED_KINDS, ApiKind, watched_kinds
from isek_operator.reconcile.synchroniser import Synchroniser


def registry(
    credentials: Credentials, intake: Intake, synchroniser: Synchroniser, namespaces: Sequence[str]
) -> kopf.OperatorRegistry:
    """All handlers of an operator that works in these namespaces; none: in all."""
    handlers = kopf.OperatorRegistry()

    async def observe(event: kopf.RawEvent, **_: Any) -> None:
        manifest: Manifest = dict(event["object"])
        if event["type"] == "DELETED":
            intake.gone(key_of(manifest), int(manifest["metadata"]["resourceVersion"]))
            return
        intake.observed(manifest)

    for kind in watched_kinds(namespaces):
        version = kind.api_version.rpartition("/")[2]
        kopf.on.event(kind.group, version, kind.plural, id=f"observe-{kind.plural}", registry=handlers)(observe)

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=credentials.server, aiohttp_session=session(credentials, synchroniser.relisted)
        )

    return handlers


class Patience:
    """Seconds between tries of a watch, for ever: a watch that gives up would end the operator."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.1, 0.2, 0.5)
        yield from repeat(1.0)


def settings() -> kopf.OperatorSettings:
    """Kopf, reduced to its watches. The figures were measured (design, chapter 7)."""
    chosen = kopf.OperatorSettings()
    chosen.scanning.disabled = True  # neither CRDs nor namespaces need to be watched
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.queueing.worker_limit = None
    chosen.queueing.idle_timeout = 0.2
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    chosen.networking.error_backoffs = Patience()
    chosen.watching.server_timeout = 300
    chosen.watching.client_timeout = 330
    chosen.watching.connect_timeout = 10
    for kind in WATCHED_KINDS:
        if kind.selector:
            chosen.watching.label_selectors[_selector(kind)] = kind.selector
    return chosen


def _selector(kind: ApiKind) -> tuple[str, str, str]:
    return kind.group, kind.api_version.rpartition("/")[2], kind.plural
