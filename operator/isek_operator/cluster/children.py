"""Brings the children of one custom resource to where a decision wants them.

No object is ever taken over: what has a child's name and another owner is left alone and reported. A volume claim that
an owner of the same name left behind, with its labels, is used again.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import orjson
from isek.api import Resource

from isek_operator.cluster.client import Client
from isek_operator.cluster.contains import contains
from isek_operator.cluster.errors import ConflictError, ForbiddenError, NotFoundError, RejectedError
from isek_operator.cluster.secret_values import Data, SecretValues, UnusableSecretError
from isek_operator.decide.etcd.certificates import given_problem
from isek_operator.decide.outcome import GeneratedSecret, Manifest, Outcome, SecretContent
from isek_operator.decide.reasons import Reason
from isek_operator.keys import Key, controller_of, key_of
from isek_operator.kinds import BY_NAME, SECRET
from isek_operator.manifests.meta import child_labels
from isek_operator.metrics import Metrics
from isek_operator.store import Store

WISH = "isek.io/wish"
"""Annotation of a child: the hash of the wish that it was last written with."""
KEPT = frozenset({"PersistentVolumeClaim"})
"""Kinds of which some belong to nobody, so that they stay: they are known by their labels."""

logger = logging.getLogger(__name__)


class LeftAloneError(Exception):
    """A child could not be brought to its wish, and trying again changes nothing by itself."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class LeftoverError(Exception):
    """A child of a deleted resource of the same name is still being removed."""


@dataclass
class Applied:
    """What came of it."""

    changed: bool = False
    """Whether a child is not, any more, what the decision looked at: written, or found to be another."""
    problem: LeftAloneError | None = None
    waiting_for: str = ""
    """What has to be gone before it can go on."""
    put_back: list[str] = field(default_factory=list)
    """What somebody else had done to a child that was brought back, in a sentence each."""


class Children:
    """Applies outcomes. ``remember`` is told every object that the API server answers with."""

    def __init__(
        self, client: Client, store: Store, metrics: Metrics, *, remember: Callable[[Manifest, Key], None]
    ) -> None:
        self._client, self._store, self._metrics, self._remember = client, store, metrics, remember
        self._values = SecretValues(client)
        self._resisting: dict[Key, str] = {}
        """What a child looked like when writing its wish did not make it hold the wish."""
        self._made: dict[Key, str] = {}
        """The uid of the owner of each child that was seen as wished: one that is missing now was deleted by others."""

    def forget_gone(self) -> None:
        """Keep nothing about children that are no more."""
        self._resisting = {key: looks for key, looks in self._resisting.items() if self._store.get(key) is not None}
        self._made = {key: owner for key, owner in self._made.items() if self._store.get(key) is not None}

    async def bring(self, owner: Resource, outcome: Outcome) -> Applied:
        """Delete the doomed, make the secrets, apply the wish in its order, prune the rest.

        It ends at the first child that cannot be brought there: what comes after may depend on it.
        """
        applied = Applied()
        try:
            for doomed in outcome.doomed:
                await self._delete(Key(doomed.kind, owner.namespace, doomed.name), doomed.uid, applied)
            for secret in outcome.secrets:
                await self._make_secret(owner, secret, applied)
            for wish in outcome.wish or ():
                await self._bring_one(owner, wish, applied)
            if outcome.wish is not None:
                await self._prune(owner, outcome, applied)
        except LeftAloneError as problem:
            applied.problem = problem
        except LeftoverError as leftover:
            applied.waiting_for = str(leftover)
        return applied

    async def _bring_one(self, owner: Resource, manifest: Manifest, applied: Applied) -> None:
        wish = with_hash(manifest)
        key, kind = key_of(wish), BY_NAME[wish["kind"]]
        live = self._store.get(key)
        if live is None:
            try:
                written = await self._explained(key, self._client.apply_new(kind, wish))
            except ConflictError:
                live = await self._read(owner, key, applied)
            else:
                if self._made.get(key) == owner.metadata.uid:
                    applied.put_back.append(f"{key.kind} {key.name!r} was deleted by somebody else and is made again")
                self._wrote(owner, written, "create", applied)
                return
        self._check_ours(owner, live)
        if "deletionTimestamp" in live["metadata"]:
            raise LeftoverError(f"{key} is being deleted")
        if contains(live, wish) or self._resisting.get(key) == _looks(live, wish):
            self._made[key] = owner.metadata.uid
            return
        try:
            written = await self._explained(key, self._client.apply(kind, wish, uid=live["metadata"]["uid"]))
        except ConflictError:
            await self._read(owner, key, applied)
            raise
        if _wish_hash(live) == _wish_hash(wish):  # what it was written with is what it is to be: others changed it
            applied.put_back.append(f"{key.kind} {key.name!r} was changed by somebody else and is put back")
        self._wrote(owner, written, "apply", applied)
        if not contains(written, wish):
            logger.warning("%s does not keep what it is given; is there an admission webhook that changes it?", key)
            self._resisting[key] = _looks(written, wish)

    async def _make_secret(self, owner: Resource, secret: GeneratedSecret, applied: Applied) -> None:
        key = key_of(secret.manifest)
        live = self._store.get(key)
        if live is None:
            data = await self._value(secret.content, key.namespace)
            try:
                created = await self._explained(key, self._client.create(SECRET, secret.manifest | {"data": data}))
            except ConflictError:
                live = await self._read(owner, key, applied)
            else:
                self._wrote(owner, created, "create", applied)
                return
        self._check_ours(owner, live)
        if secret.renew:
            metadata = {name: live["metadata"][name] for name in ("uid", "resourceVersion")}  # nobody else meanwhile
            metadata["annotations"] = secret.manifest["metadata"].get("annotations") or {}
            data = await self._value(secret.renewal or secret.content, key.namespace)
            change = {"metadata": metadata, "data": data}
            written = await self._explained(key, self._client.merge(SECRET, key, change))
            self._wrote(owner, written, "renew", applied)

    async def _value(self, content: SecretContent, namespace: str) -> Data:
        try:
            return await self._values.make(content, namespace)
        except UnusableSecretError as error:
            problem = given_problem(error.secret, error.complaint)
            raise LeftAloneError(problem.reason, problem.message) from None

    async def _prune(self, owner: Resource, outcome: Outcome, applied: Applied) -> None:
        wanted = {key_of(manifest) for manifest in (*(outcome.wish or ()), *(s.manifest for s in outcome.secrets))}
        wanted |= {Key(doomed.kind, owner.namespace, doomed.name) for doomed in outcome.doomed}
        wanted |= {Key(kind, owner.namespace, name) for kind, name in outcome.kept}
        for child in self._store.children(owner.metadata.uid):
            if key_of(child) not in wanted and "deletionTimestamp" not in child["metadata"]:
                await self._delete(key_of(child), child["metadata"]["uid"], applied)

    async def _delete(self, key: Key, uid: str, applied: Applied) -> None:
        try:
            await self._explained(key, self._client.delete(BY_NAME[key.kind], key, uid=uid))
        except NotFoundError:
            return  # the watch tells
        except ConflictError:
            live = await self._client.get(BY_NAME[key.kind], key.namespace, key.name)
            if live is not None and live["metadata"]["uid"] == uid:
                raise
            return  # it is gone, and may have a successor
        applied.changed = True
        self._made.pop(key, None)
        self._metrics.writes.labels(key.kind, "delete").inc()
        logger.info("deleted %s", key)

    async def _read(self, owner: Resource, key: Key, applied: Applied) -> Manifest:
        live = await self._client.get(BY_NAME[key.kind], key.namespace, key.name)
        if live is None:
            if (known := self._store.get(key)) is not None:
                self._store.drop(key, version=int(known["metadata"]["resourceVersion"]))
            raise ConflictError(f"{key} came and went")
        if _is_ours(owner, live):
            applied.changed = True
            self._remember(live, _own_key(owner))
        return live  # what is somebody else's is not watched: to remember it would be to believe in it for ever

    def _wrote(self, owner: Resource, written: Manifest, verb: str, applied: Applied) -> None:
        applied.changed = True
        self._made[key_of(written)] = owner.metadata.uid
        self._remember(written, _own_key(owner))
        self._metrics.writes.labels(written["kind"], verb).inc()
        logger.info("%s %s", "created" if verb == "create" else "updated", key_of(written))

    def _check_ours(self, owner: Resource, live: Manifest) -> None:
        if _is_ours(owner, live):
            return
        controller = controller_of(live)
        key = key_of(live)
        if controller is not None and (controller["kind"], controller["name"]) == (owner.kind, owner.name):
            raise LeftoverError(f"{key} belongs to a deleted {owner.kind} of this name and is being removed")
        whose = f"belongs to {controller['kind']} {controller['name']}" if controller else "was not made by Isek"
        raise LeftAloneError(
            Reason.NAME_CONFLICT,
            f"{key.kind} {key.name!r} {whose} and is left alone; delete or rename it, or rename this {owner.kind}",
        )

    async def _explained(self, key: Key, call: Awaitable[Manifest]) -> Manifest:
        try:
            return await call
        except (RejectedError, ForbiddenError) as error:
            message = f"{key.kind} {key.name!r} was refused by the API server: {error}"
            raise LeftAloneError(Reason.CHILD_REJECTED, message) from None


def with_hash(wish: Manifest) -> Manifest:
    """The wish with its own hash as annotation ``isek.io/wish``."""
    metadata = wish["metadata"]
    annotations = {**metadata.get("annotations", {}), WISH: _digest(wish)}
    return {**wish, "metadata": {**metadata, "annotations": annotations}}


def _wish_hash(manifest: Manifest) -> str | None:
    return (manifest["metadata"].get("annotations") or {}).get(WISH)


def _is_ours(owner: Resource, live: Manifest) -> bool:
    controller = controller_of(live)
    if controller is None:
        return live["kind"] in KEPT and child_labels(owner).items() <= (live["metadata"].get("labels") or {}).items()
    return bool(controller["uid"] == owner.metadata.uid)


def _looks(live: Manifest, wish: Manifest) -> str:
    changing = {"resourceVersion", "managedFields", "generation"}
    metadata = {name: value for name, value in live["metadata"].items() if name not in changing}
    return _digest([{**live, "metadata": metadata, "status": None}, wish])


def _digest(value: Manifest | Iterable[Manifest]) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _own_key(owner: Resource) -> Key:
    return Key(owner.kind, owner.namespace, owner.name)
