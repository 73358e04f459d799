"""Asks the etcds of all meshes how they are: often while something is on its way, now and then when nothing is."""

import asyncio
import logging
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ApiError
from isek_operator.decide.etcd.view import EtcdAccess, EtcdView, news
from isek_operator.keys import Key
from isek_operator.kinds import SECRET
from isek_operator.logs import about
from isek_operator.metrics import Metrics
from isek_operator.store import Store

if TYPE_CHECKING:
    from isek_operator.cluster.etcd import EtcdAdmin

BUSY_SECONDS = 1.0
IDLE_SECONDS = 15.0
"""At most, where something is on its way and nothing happens."""
QUIET_SECONDS = 30.0
SECRET_SECONDS = 60.0
"""How long a Secret is believed that no watch tells of."""
AT_A_TIME = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Read:
    secret: Key
    version: str | None
    at: float
    data: dict[str, bytes]


@dataclass
class _Followed:
    access: EtcdAccess
    asking: asyncio.Task[None]
    due: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: bool = False
    """Whether it is due though it was asked a moment ago: it is to be asked otherwise than it was."""
    read: _Read | None = None
    """Its Secret, kept no longer than the etcd is followed and asked with it."""


def next_pause(last: float, *, is_news: bool, settled: bool) -> float:
    """Seconds until an etcd is asked again, if nothing happens meanwhile: longer and longer while it has no news."""
    if settled:
        return QUIET_SECONDS
    return BUSY_SECONDS if is_news or last > IDLE_SECONDS else min(last * 2, IDLE_SECONDS)


class EtcdObserver:
    """Keeps what the store knows of each etcd young enough. A mesh whose etcd has news is ``due``,
    and so is whom nodes cannot run, or could not before.

    gRPC is brought in when the first etcd is called: an operator without meshes does not pay for it.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        metrics: Metrics,
        *,
        due: Callable[[Key], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._store, self._metrics, self._due, self._now = client, store, metrics, due, now
        self._followed: dict[Key, _Followed] = {}
        self._room = asyncio.Semaphore(AT_A_TIME)

    def follow(self, mesh: Key, access: EtcdAccess | None) -> None:
        """Ask this etcd from now on; None: no more.

        While something is on its way, at once where it is to be asked otherwise than before, else as soon as it was
        not asked for a second: whoever says this has seen something happen.
        """
        followed = self._followed.get(mesh)
        if access is None:
            self._forget(mesh)
        elif followed is None:
            asking = asyncio.create_task(self._keep_asking(mesh), name=f"etcd-of-{mesh}")
            self._followed[mesh] = _Followed(access, asking)
        else:
            followed.at_once |= followed.access != access
            followed.access = access
            if not access.settled:
                followed.due.set()

    async def ask(self, mesh: Key) -> bool:
        """Ask now, and remember what was said; whether it was news."""
        followed = self._followed.get(mesh)
        if followed is None:
            return False
        async with self._room:
            view = await self._look(mesh, followed.access)
        if view is None or self._followed.get(mesh) is not followed:
            return False
        before = self._store.etcd(mesh.namespace, mesh.name)
        if view.broken is None and before is not None:
            view = replace(view, broken=before.broken)  # nodes cannot run more for an etcd that is not read
        if view.elsewhere is None and before is not None:
            view = replace(view, elsewhere=before.elsewhere)
        self._store.put_etcd(mesh.namespace, mesh.name, view)
        self._measure(mesh, view)
        if is_news := news(before) != news(view):
            self._due(mesh)
            for each in (view.broken or frozenset()) ^ ((before and before.broken) or frozenset()):
                self._due(Key(each.kind, each.namespace, each.name))
            for named in (view.elsewhere or frozenset()) ^ ((before and before.elsewhere) or frozenset()):
                for asking in self._store.referrers(*named):
                    self._due(Key(asking.kind, asking.namespace, asking.name))
        return is_news

    async def admin(self, mesh: Key, access: EtcdAccess) -> "EtcdAdmin":
        """Connections to the members. Raises the errors of the API client, and EtcdError."""
        from isek_operator.cluster.etcd import EtcdAdmin, EtcdError, Tls  # noqa: PLC0415

        key = Key("Secret", mesh.namespace, access.secret)
        data = await self._secret(mesh, key)
        try:
            tls = Tls(data["tls.crt"], data["tls.key"], data["ca.crt"], access.server_name)
        except KeyError as missing:
            raise EtcdError(f"{key} has no {missing.args[0]}") from None
        return EtcdAdmin(dict(access.endpoints), tls)

    async def stop(self) -> None:
        """Ask nobody any more."""
        tasks = [each.asking for each in self._followed.values()]
        self._followed.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, mesh: Key) -> None:
        if (followed := self._followed.pop(mesh, None)) is not None:
            followed.asking.cancel()
            self._metrics.forget_mesh(mesh.namespace, mesh.name)
            self._store.put_etcd(mesh.namespace, mesh.name, None)

    async def _keep_asking(self, mesh: Key) -> None:
        with about(mesh):
            pause = BUSY_SECONDS
            while (followed := self._followed.get(mesh)) is not None:
                followed.due.clear()
                followed.at_once, is_news, asked_at = False, False, time.monotonic()
                try:
                    is_news = await self.ask(mesh)
                except Exception:
                    logger.exception("a fault of the operator; please report it")
                pause = next_pause(pause, is_news=is_news, settled=followed.access.settled)
                with suppress(TimeoutError):
                    await asyncio.wait_for(followed.due.wait(), pause)
                    pause = BUSY_SECONDS
                    if not followed.at_once:
                        await asyncio.sleep(asked_at + BUSY_SECONDS - time.monotonic())

    async def _look(self, mesh: Key, access: EtcdAccess) -> EtcdView | None:
        if not access.endpoints:
            return EtcdView(self._now(), quorum=False, error="no member has an address yet")
        from isek_operator.cluster.etcd import EtcdError  # noqa: PLC0415
        from isek_operator.cluster.etcd_view import look  # noqa: PLC0415

        try:
            async with await self.admin(mesh, access) as admin:
                return await look(admin, access, self._now())
        except EtcdError as error:
            return EtcdView(self._now(), quorum=False, error=str(error))
        except ApiError as error:
            logger.debug("cannot read the certificate for etcd: %s", error)
            return None

    async def _secret(self, mesh: Key, key: Key) -> dict[str, bytes]:
        followed, watched = self._followed.get(mesh), self._store.get(key)
        version = watched["metadata"]["resourceVersion"] if watched else None
        read = followed.read if followed and followed.read and followed.read.secret == key else None
        if read is not None and read.version == version and (watched or self._now() < read.at + SECRET_SECONDS):
            return read.data
        found = await self._client.get(SECRET, key.namespace, key.name)
        data = {name: b64decode(value) for name, value in ((found or {}).get("data") or {}).items()}
        if followed is not None:
            followed.read = _Read(key, version, self._now(), data)
        return data

    def _measure(self, mesh: Key, view: EtcdView) -> None:
        states = {
            "voter": sum(1 for each in view.members if each.reachable and not each.learner),
            "learner": sum(1 for each in view.members if each.reachable and each.learner),
            "unreachable": sum(1 for each in view.members if not each.reachable),
        }
        for state, count in states.items():
            self._metrics.etcd_members.labels(mesh.namespace, mesh.name, state).set(count)
        largest = max((each.db_bytes for each in view.members), default=0)
        self._metrics.etcd_db_bytes.labels(mesh.namespace, mesh.name).set(largest)
