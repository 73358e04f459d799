"""Which certificates there are to be around the etcd of a mesh, and when each is made anew.

Nothing but the Secrets and the members' pods says how far a change of the authority has come:

1. The new authority issues from now on, and ``ca.crt`` of its Secret holds it and the former one.
2. ``ca.crt`` of the other Secrets follows. Members are replaced, since they read it at start; nodes read it anew.
3. Once everybody has had the time to do so, the certificates are made anew, by the new authority.
4. Once those too are everywhere, the former authority goes out of ``ca.crt``, as it came in.

So at each moment everybody trusts what everybody shows. A user's own authority is taken over into the Secret of ours,
so that a change of it goes the same way.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address

from isek.api import IsekMesh

from isek_operator.decide.outcome import Authority, Certificate, GeneratedSecret, Manifest, Trusted
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.rollout import child
from isek_operator.decide.world import World
from isek_operator.decide.written_at import written_at
from isek_operator.manifests.etcd import etcd_peers_domain, etcd_selector, etcd_service_host
from isek_operator.manifests.etcd_config import MEMBER_NAME, NODE_USER, ROOT_USER
from isek_operator.manifests.relay import is_address
from isek_operator.manifests.secret import (
    CA_CERTIFICATE,
    CERTIFICATE,
    certificate_secret,
    etcd_authority_secret_name,
    etcd_client_secret_name,
    etcd_root_secret_name,
    etcd_server_secret_name,
)
from isek_operator.manifests.stateful_set import TRUST_ANNOTATION
from isek_operator.pki import Certified, PkiError, bundle, issued_by, read_certificates

SPREAD = timedelta(minutes=10)
"""Until a changed Secret is surely in all pods that mount it: several times what a kubelet takes."""
LOOK_AT_GIVEN_SECONDS = 600.0
"""How often a user's Secret is looked at that no watch tells of."""
TRUSTS_SINCE = "isek.io/trusts-since"
"""Annotation of a certificate's Secret: when its ``ca.crt`` was last written, if not when it was made."""


@dataclass(frozen=True)
class Stored:
    """What a Secret says that anybody may know."""

    manifest: Manifest
    certificate: Certified | None
    """None: it holds none that can be read."""
    trusted: str
    """``ca.crt``; empty: it holds none that can be read."""

    @classmethod
    def of(cls, secret: Manifest | None) -> "Stored | None":
        """None: there is no such Secret."""
        if secret is None:
            return None
        chain = _certificates(secret["data"], CERTIFICATE)
        trusted = _certificates(secret["data"], CA_CERTIFICATE)
        return cls(secret, chain[0] if chain else None, "".join(each.pem for each in trusted))

    @property
    def since(self) -> datetime | None:
        """When ``ca.crt`` was last written; None: nobody knows."""
        return written_at(self.manifest, TRUSTS_SINCE)


@dataclass(frozen=True)
class ObservedCertificates:
    """All that the certificates of a mesh's etcd depend on."""

    mesh: IsekMesh
    authority: Stored | None
    leaves: Mapping[str, Stored | None]
    """By the name of the Secret."""
    given: Certified | None
    """The user's authority, where the mesh names one that can be used."""
    problem: Problem | None
    """Why the user's authority cannot be used."""
    pods_trust: frozenset[str | None]
    """What the members' pods have as ``TRUST_ANNOTATION``."""
    now: datetime


@dataclass(frozen=True)
class Credentials:
    """What follows."""

    secrets: tuple[GeneratedSecret, ...] = ()
    trust: str | None = None
    """What the members' pods are to have as ``TRUST_ANNOTATION``; None: there is nothing yet to start them with."""
    problem: Problem | None = None
    expiries: Mapping[str, float] = field(default_factory=dict)
    """By the name of the Secret, in seconds since the epoch."""
    look_again_after: float | None = None


def gather_certificates(mesh: IsekMesh, world: World) -> ObservedCertificates:
    """Look up all that the certificates depend on."""
    children = tuple(world.children(mesh.metadata.uid))
    ((label, value),) = etcd_selector(mesh).items()
    now = world.now()
    given, problem = _given(mesh, world, now)
    return ObservedCertificates(
        mesh=mesh,
        authority=Stored.of(child(children, "Secret", etcd_authority_secret_name(mesh))),
        leaves={name: Stored.of(child(children, "Secret", name)) for name in _leaves(mesh)},
        given=given,
        problem=problem,
        pods_trust=frozenset(
            (pod["metadata"].get("annotations") or {}).get(TRUST_ANNOTATION)
            for pod in world.labelled("Pod", mesh.namespace, label, value)
        ),
        now=now,
    )


def decide_certificates(observed: ObservedCertificates) -> Credentials:
    """The Secrets of a mesh with an etcd of its own."""
    if observed.authority is None and observed.problem:
        return Credentials(problem=observed.problem, look_again_after=_look_at_given(observed.mesh))
    authority = _authority(observed)
    leaves = [_leaf(observed, name, authority_changes=authority.renew) for name in observed.leaves]
    stored = {etcd_authority_secret_name(observed.mesh): observed.authority, **observed.leaves}
    server = observed.leaves[etcd_server_secret_name(observed.mesh)]
    return Credentials(
        secrets=(authority, *leaves),
        trust=_digest(server.trusted) if server and server.trusted else None,
        problem=observed.problem,
        expiries={
            name: each.certificate.not_after.timestamp() for name, each in stored.items() if each and each.certificate
        },
        look_again_after=_look_again_after(observed),
    )


# --- the authority ----------------------------------------------------------------------------------------------------


def _authority(observed: ObservedCertificates) -> GeneratedSecret:
    mesh, live = observed.mesh, observed.authority
    secret = mesh.spec.etcd.tls.ca_secret
    content = Authority(_common_name(mesh), secret.name if secret else None, _still_trusted(observed))
    manifest = certificate_secret(mesh, etcd_authority_secret_name(mesh))
    if live is None:
        return GeneratedSecret(manifest, content)
    if live.certificate is None or _is_to_be_another(observed, live.certificate):
        return GeneratedSecret(manifest, content, renew=True)
    wanted = live.certificate.pem if _is_everywhere(observed) else content.trusted
    if live.trusted != wanted:
        return GeneratedSecret(manifest, content, renew=True, renewal=Trusted(wanted))
    return GeneratedSecret(manifest, content)


def _is_to_be_another(observed: ObservedCertificates, issuing: Certified) -> bool:
    if observed.problem:
        return False
    if observed.given:
        return observed.given.pem != issuing.pem
    return issuing.common_name != _common_name(observed.mesh) or observed.now >= issuing.renewal_due


def _still_trusted(observed: ObservedCertificates) -> str:
    """The authority in use first, then all that anybody may still show a certificate of."""
    live = observed.authority
    issuing = live.certificate.pem if live and live.certificate else ""
    others = [each.trusted for each in observed.leaves.values() if each]
    return bundle((issuing, live.trusted if live else "", *others))


def _is_everywhere(observed: ObservedCertificates) -> bool:
    """Whether the certificates of the present authority have replaced all others for long enough."""
    since = _shown_since(observed)
    return since is not None and observed.now >= since + SPREAD


def _shown_since(observed: ObservedCertificates) -> datetime | None:
    """Since when all certificates are by the present authority; None: they are not."""
    issuing = observed.authority.certificate if observed.authority else None
    shown = [each.certificate for each in observed.leaves.values() if each and each.certificate]
    if issuing is None or len(shown) < len(observed.leaves):
        return None
    if not all(issued_by(each.pem, issuing.pem) for each in shown):
        return None
    return max(each.issued_at for each in shown)


# --- the certificates -------------------------------------------------------------------------------------------------


def _leaves(mesh: IsekMesh) -> dict[str, Certificate]:
    authority = etcd_authority_secret_name(mesh)
    outside = mesh.spec.etcd.expose.names if mesh.spec.etcd.expose else ()
    outside_names = [each for each in outside if not is_address(each)]
    outside_addresses = [str(ip_address(each)) for each in outside if is_address(each)]
    return {
        etcd_server_secret_name(mesh): Certificate(
            MEMBER_NAME,
            authority,
            dns_names=(f"*.{etcd_peers_domain(mesh)}", etcd_service_host(mesh), "localhost", *outside_names),
            ip_addresses=("127.0.0.1", *outside_addresses),
        ),
        etcd_client_secret_name(mesh): Certificate(NODE_USER, authority),
        etcd_root_secret_name(mesh): Certificate(ROOT_USER, authority),
    }


def _leaf(observed: ObservedCertificates, name: str, *, authority_changes: bool) -> GeneratedSecret:
    """A certificate; it follows a change of its authority only when that has been written down."""
    mesh, live = observed.mesh, observed.leaves[name]
    content = _leaves(mesh)[name]
    annotations = (live.manifest["metadata"].get("annotations") or {}) if live else {}
    kept = {key: value for key, value in annotations.items() if key == TRUSTS_SINCE}
    unchanged = GeneratedSecret(certificate_secret(mesh, name, kept), content)
    if live is None or observed.authority is None or authority_changes:
        return unchanged
    trusts_anew = certificate_secret(mesh, name, {TRUSTS_SINCE: observed.now.isoformat()})
    if not _is_sound(observed, live, content):
        return GeneratedSecret(trusts_anew, content, renew=True)
    if live.trusted != observed.authority.trusted:
        return GeneratedSecret(trusts_anew, content, renew=True, renewal=Trusted(observed.authority.trusted))
    return replace(unchanged, renew=_is_due(observed, live))


def _is_sound(observed: ObservedCertificates, live: Stored, content: Certificate) -> bool:
    """Whether it is what was asked for, and anybody believes it."""
    shown = live.certificate
    return (
        shown is not None
        and observed.now < shown.not_after
        and (shown.common_name, shown.dns_names, shown.ip_addresses)
        == (content.common_name, content.dns_names, content.ip_addresses)
        and any(issued_by(shown.pem, each.pem) for each in _split(_still_trusted(observed)))
    )


def _is_due(observed: ObservedCertificates, live: Stored) -> bool:
    shown, issuing = live.certificate, observed.authority.certificate if observed.authority else None
    if shown is None or issuing is None:
        return False  # what is broken is mended elsewhere
    if not issued_by(shown.pem, issuing.pem):
        trusted_since = _trusted_since(observed)
        return trusted_since is not None and observed.now >= trusted_since + SPREAD
    return shown.not_after < issuing.not_after and observed.now >= shown.renewal_due  # none outlives its authority


def _trusted_since(observed: ObservedCertificates) -> datetime | None:
    """Since when all pods may have had the present ``ca.crt``; None: not all have it."""
    authority = observed.authority
    leaves = [each for each in observed.leaves.values() if each and authority and each.trusted == authority.trusted]
    since = [each.since for each in leaves if each.since]
    if authority is None or len(since) < len(observed.leaves) or observed.pods_trust - {_digest(authority.trusted)}:
        return None
    return max(since)


# --- what both need ---------------------------------------------------------------------------------------------------


def _common_name(mesh: IsekMesh) -> str:
    return f"isek-etcd-ca {mesh.metadata.uid}"


def _given(mesh: IsekMesh, world: World, now: datetime) -> tuple[Certified | None, Problem | None]:
    """The authority that the user gives; what is private about it is looked at by whoever takes it over."""
    reference = mesh.spec.etcd.tls.ca_secret
    if reference is None:
        return None, None
    data = world.secret(mesh.namespace, reference.name) or {}
    chain = _certificates(data, CERTIFICATE)
    if not chain:
        return None, given_problem(reference.name, f"{CERTIFICATE} is missing or no certificate in PEM")
    if not chain[0].is_authority:
        return None, given_problem(reference.name, f"{CERTIFICATE} is not of an authority (cert-manager: isCA: true)")
    if chain[0].not_after <= now:
        return None, given_problem(reference.name, f"{CERTIFICATE} expired at {chain[0].not_after:%Y-%m-%dT%H:%M:%SZ}")
    return chain[0], None


def given_problem(secret: str, complaint: str) -> Problem:
    """What to say about a user's Secret that no certificate can be issued from."""
    message = f"Secret {secret!r}: {complaint}; put a certificate authority into it, or fix spec.etcd.tls.caSecret"
    return Problem(Reason.SECRET_INVALID, message)


def _look_at_given(mesh: IsekMesh) -> float | None:
    return LOOK_AT_GIVEN_SECONDS if mesh.spec.etcd.tls.ca_secret else None


def _look_again_after(observed: ObservedCertificates) -> float | None:
    all_stored = (observed.authority, *observed.leaves.values())
    moments = [each.certificate.renewal_due for each in all_stored if each and each.certificate]
    if (since := _spreads_since(observed)) is not None:
        moments.append(since + SPREAD)
    waits = [(moment - observed.now).total_seconds() for moment in moments if moment > observed.now]
    return min((each for each in (*waits, _look_at_given(observed.mesh)) if each is not None), default=None)


def _spreads_since(observed: ObservedCertificates) -> datetime | None:
    """Since when something goes round that is to be everywhere before the next step; None: nothing does."""
    shown = _shown_since(observed)
    if shown is None:
        return _trusted_since(observed)
    authority = observed.authority
    former = authority and authority.certificate and authority.trusted != authority.certificate.pem
    return shown if former else None


def _certificates(data: Mapping[str, str | None], key: str) -> tuple[Certified, ...]:
    try:
        return read_certificates(b64decode(data.get(key) or "").decode())
    except (PkiError, ValueError):
        return ()


def _split(pem: str) -> Iterable[Certified]:
    return read_certificates(pem) if pem else ()


def _digest(trusted: str) -> str:
    return hashlib.sha256(trusted.encode()).hexdigest()[:16]
