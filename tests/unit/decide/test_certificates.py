"""Certificates around an etcd: made, renewed, and rolled over so that everybody always trusts what everybody shows."""

from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from itertools import product

import pytest
from isek.api import IsekMesh
from isek_operator import pki
from isek_operator.cluster.secret_values import UnusableSecretError
from isek_operator.decide.etcd.certificates import decide_certificates, gather_certificates
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.reasons import Reason
from isek_operator.manifests.stateful_set import TRUST_ANNOTATION

from tests.unit.decide.scene import NOW, Scene, finding
from tests.unit.manifests.samples import NAMESPACE, mesh

CA, SERVER, CLIENT, ROOT = (f"default-etcd-{name}" for name in ("ca", "server", "client", "root"))
LEAVES = (SERVER, CLIENT, ROOT)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
KUBELET = 10 * MINUTE
"""A pod sees what a Secret was at any moment of so long before."""
OWN = mesh(etcd={"tls": {"caSecret": {"name": "own"}}})


class Etcd:
    """A mesh with an etcd of three members, its Secrets, and the clock."""

    def __init__(self, manifest: Manifest | None = None, *, given: pki.KeyPair | None = None) -> None:
        self.scene = Scene()
        if given:
            self.give(given)
        self.scene.put(manifest or mesh())
        self.settle()
        self.rolled_at = self.scene.now
        self.pods = [self.value(SERVER, "ca.crt")] * 3
        self._shown: list[tuple[datetime, str]] = []
        self._trusted: list[tuple[datetime, str]] = []
        self._show()

    def value(self, secret: str, key: str) -> str:
        return b64decode(self.scene.secrets.held[NAMESPACE, secret]["data"][key]).decode()

    def give(self, authority: pki.KeyPair) -> None:
        """Put an authority into the user's Secret."""
        values = {"tls.crt": authority.certificate, "tls.key": authority.key}
        data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
        self.scene.secrets.held[NAMESPACE, "own"] = {"data": data}
        self.scene.store.put_read_secret(NAMESPACE, "own", data)

    def settle(self) -> int:
        """Let the operator do all that is due; how often it wrote."""
        for times in range(10):
            if not self.scene.make_secrets(NAMESPACE, "default"):
                return times
        raise AssertionError("it never comes to rest")

    def lose(self, secret: str) -> None:
        del self.scene.secrets.held[NAMESPACE, secret]
        self.scene.drop("Secret", secret)

    def after(self, passed: timedelta) -> int:
        """Let time pass; how often the operator wrote at the end of it."""
        self.scene.now += passed
        return self.settle()

    def roll_over(self, *, a_member_takes: timedelta = 2 * MINUTE) -> None:
        """Let three hours pass, members being replaced one after the other, and watch who could not speak to whom."""
        for minute in range(180):
            if not minute:
                self.settle()
            else:
                self.after(MINUTE)
            self._roll(a_member_takes)
            self._show()
            self._everybody_trusts_everybody()

    def _roll(self, a_member_takes: timedelta) -> None:
        wanted = self.value(SERVER, "ca.crt")
        outdated = [index for index, started in enumerate(self.pods) if started != wanted]
        if outdated and self.scene.now >= self.rolled_at + a_member_takes:
            self.pods[outdated[0]] = wanted
            self.rolled_at = self.scene.now
        for ordinal, started in enumerate(self.pods):
            self.scene.put(pod(ordinal, self._trust_of(started)))

    def _trust_of(self, started: str) -> str:
        if started == self.value(SERVER, "ca.crt"):
            (stateful_set,) = [
                each for each in self.scene.decide("IsekMesh", "default").wish or () if each["kind"] == "StatefulSet"
            ]
            return str(stateful_set["spec"]["template"]["metadata"]["annotations"][TRUST_ANNOTATION])
        return "former"

    def _show(self) -> None:
        self._shown += [(self.scene.now, self.value(name, "tls.crt")) for name in LEAVES]
        self._trusted += [(self.scene.now, self.value(name, "ca.crt")) for name in LEAVES]

    def _everybody_trusts_everybody(self) -> None:
        since = self.scene.now - KUBELET + MINUTE
        shown = {pem for at, pem in self._shown if at >= since}
        trusted = {pem for at, pem in self._trusted if at >= since} | set(self.pods)
        for certificate, bundle in product(shown, trusted):
            authorities = [each.pem for each in pki.read_certificates(bundle)]
            assert any(pki.issued_by(certificate, authority) for authority in authorities), self.scene.now


def pod(ordinal: int, trust: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"default-etcd-{ordinal}",
            "uid": f"uid-{ordinal}",
            "labels": {"isek.io/mesh": "default"},
            "annotations": {TRUST_ANNOTATION: trust},
        },
    }


@pytest.fixture
def etcd() -> Etcd:
    return Etcd()


def issued_by(etcd: Etcd, authority: str) -> list[bool]:
    return [pki.issued_by(etcd.value(name, "tls.crt"), authority) for name in LEAVES]


def test_each_certificate_names_its_holder_and_is_by_the_authority_of_the_mesh(etcd: Etcd) -> None:
    said = [pki.read_certificates(etcd.value(name, "tls.crt"))[0] for name in LEAVES]

    assert [each.common_name for each in said] == ["isek-etcd-member", "isek-node", "root"]
    assert said[0].dns_names == (
        "*.default-etcd-peers.newsroom.svc",
        "default-etcd.newsroom.svc",
        "localhost",
    )
    assert issued_by(etcd, etcd.value(CA, "tls.crt")) == [True] * 3
    assert {etcd.value(name, "ca.crt") for name in (CA, *LEAVES)} == {etcd.value(CA, "tls.crt")}


def test_no_decision_and_nothing_in_memory_holds_a_key(etcd: Etcd) -> None:
    outcome = etcd.scene.decide("IsekMesh", "default")
    keys = [etcd.scene.secrets.held[NAMESPACE, name]["data"]["tls.key"] for name in (CA, *LEAVES)]

    assert not any(key in repr(outcome) or b64decode(key).decode() in repr(outcome) for key in keys)
    assert [each["data"]["tls.key"] for each in secrets_in_store(etcd)] == [None] * 4


def secrets_in_store(etcd: Etcd) -> list[Manifest]:
    found = (etcd.scene.store.get(key) for key in etcd.scene.store.keys("Secret"))
    return [each for each in found if each and "tls.key" in each["data"]]


def test_what_is_good_is_left_alone_and_looked_at_again_in_time(etcd: Etcd) -> None:
    found = etcd.scene.resource("IsekMesh", "default")
    assert isinstance(found, IsekMesh)

    decided = decide_certificates(gather_certificates(found, etcd.scene.store))

    assert not any(secret.renew for secret in decided.secrets)
    assert decided.look_again_after is not None
    assert 59 * DAY < timedelta(seconds=decided.look_again_after) < 61 * DAY
    assert etcd.after(59 * DAY) == 0


def test_certificates_are_renewed_when_a_third_of_their_time_is_left_and_the_authority_is_not(etcd: Etcd) -> None:
    before = {name: etcd.value(name, "tls.crt") for name in (CA, *LEAVES)}

    assert etcd.after(61 * DAY) == 1

    renewed = {name for name, value in before.items() if etcd.value(name, "tls.crt") != value}
    assert renewed == set(LEAVES)
    assert issued_by(etcd, before[CA]) == [True] * 3


def test_it_is_known_when_each_certificate_expires(etcd: Etcd) -> None:
    expiries = etcd.scene.decide("IsekMesh", "default").certificates

    assert {name: round((expires - NOW.timestamp()) / 86400) for name, expires in expiries.items()} == {
        CA: 3650,
        SERVER: 90,
        CLIENT: 90,
        ROOT: 90,
    }


@pytest.mark.parametrize("a_member_takes", [MINUTE, 17 * MINUTE], ids=["quick members", "slow members"])
def test_an_authority_that_runs_out_is_replaced_and_all_go_on_trusting_each_other(
    etcd: Etcd, a_member_takes: timedelta
) -> None:
    etcd.after(2400 * DAY)  # certificates were renewed meanwhile
    before = etcd.value(CA, "tls.crt")
    etcd.pods = [etcd.value(SERVER, "ca.crt")] * 3
    etcd.scene.now += 40 * DAY

    etcd.roll_over(a_member_takes=a_member_takes)

    after = etcd.value(CA, "tls.crt")
    assert after != before
    assert issued_by(etcd, after) == [True] * 3
    assert {etcd.value(name, "ca.crt") for name in (CA, *LEAVES)} == {after}
    assert set(etcd.pods) == {after}
    assert etcd.after(DAY) == 0


def test_nothing_is_shown_that_a_member_which_still_runs_does_not_trust(etcd: Etcd) -> None:
    before = etcd.value(CA, "tls.crt")
    etcd.lose(CA)

    etcd.roll_over(a_member_takes=DAY)  # no member is ever replaced

    assert etcd.value(CA, "tls.crt") != before
    assert issued_by(etcd, before) == [True] * 3


def test_a_lost_authority_is_replaced_in_the_same_way(etcd: Etcd) -> None:
    before = etcd.value(CA, "tls.crt")
    etcd.lose(CA)

    etcd.roll_over()

    assert etcd.value(CA, "tls.crt") != before
    assert {etcd.value(name, "ca.crt") for name in (CA, *LEAVES)} == {etcd.value(CA, "tls.crt")}


@pytest.mark.parametrize("secret", LEAVES)
def test_a_lost_certificate_is_made_anew_at_once(etcd: Etcd, secret: str) -> None:
    etcd.lose(secret)

    etcd.roll_over()

    assert issued_by(etcd, etcd.value(CA, "tls.crt")) == [True] * 3


@pytest.mark.parametrize("key", ["tls.crt", "ca.crt"])
@pytest.mark.parametrize("secret", [CA, *LEAVES])
def test_what_somebody_has_overwritten_is_mended(etcd: Etcd, secret: str, key: str) -> None:
    held = etcd.scene.secrets.held[NAMESPACE, secret]
    held["data"][key] = b64encode(b"nonsense").decode()
    etcd.scene.put({**held, "metadata": {**held["metadata"], "uid": "x"}})

    etcd.roll_over()

    assert issued_by(etcd, etcd.value(CA, "tls.crt")) == [True] * 3
    assert {etcd.value(name, "ca.crt") for name in (CA, *LEAVES)} == {etcd.value(CA, "tls.crt")}


def test_a_users_authority_issues_the_certificates() -> None:
    own = pki.new_authority("press", NOW)

    etcd = Etcd(OWN, given=own)

    assert issued_by(etcd, own.certificate) == [True] * 3
    assert etcd.value(CA, "ca.crt") == own.certificate
    assert finding(etcd.scene.decide("IsekMesh", "default"), "ResolvedRefs").status


def test_a_users_authority_that_is_not_there_yet_is_asked_for_once() -> None:
    waiting = Scene(OWN).decide("IsekMesh", "default")

    for condition in ("Ready", "ResolvedRefs"):
        assert finding(waiting, condition).reason is Reason.SECRET_NOT_FOUND
        assert finding(waiting, condition).message == (
            f"Secret 'own' does not exist in namespace {NAMESPACE!r}; create it, or fix spec.etcd.tls.caSecret"
        )


def test_a_users_authority_that_changes_is_rolled_over() -> None:
    etcd = Etcd(OWN, given=pki.new_authority("press", NOW))
    another = pki.new_authority("press", NOW)
    etcd.give(another)

    etcd.roll_over()

    assert issued_by(etcd, another.certificate) == [True] * 3
    assert set(etcd.pods) == {another.certificate}


def test_an_etcd_changes_to_an_authority_of_the_user_and_back(etcd: Etcd) -> None:
    own = pki.new_authority("press", NOW)
    etcd.give(own)
    etcd.scene.put(OWN)
    etcd.roll_over()
    assert issued_by(etcd, own.certificate) == [True] * 3

    etcd.scene.put(mesh())
    etcd.roll_over()

    assert etcd.value(CA, "tls.crt") != own.certificate
    assert {etcd.value(name, "ca.crt") for name in (CA, *LEAVES)} == {etcd.value(CA, "tls.crt")}


def test_a_key_that_belongs_to_another_certificate_is_named_when_it_is_to_be_used(etcd: Etcd) -> None:
    one, another = pki.new_authority("x", NOW), pki.new_authority("x", NOW)
    etcd.give(pki.KeyPair(one.certificate, another.key))
    etcd.scene.store.put(
        {"apiVersion": "isek.io/v1alpha1", **OWN, "metadata": {**OWN["metadata"], "resourceVersion": "999"}}
    )

    with pytest.raises(UnusableSecretError, match=r"Secret 'own': tls\.key does not belong to tls\.crt") as caught:
        etcd.settle()

    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            pki.new_certificate(pki.new_authority("x", NOW), "leaf", NOW),
            "Secret 'own': tls.crt is not of an authority (cert-manager: isCA: true)",
        ),
        (pki.new_authority("x", NOW - 4000 * DAY), "Secret 'own': tls.crt expired at 2025-01-16T00:00:00Z"),
        (pki.KeyPair("nonsense", "nonsense"), "Secret 'own': tls.crt is missing or no certificate in PEM"),
    ],
    ids=["no authority", "expired", "nonsense"],
)
def test_a_users_secret_that_cannot_issue_is_named_with_the_fix_and_harms_nothing_that_runs(
    etcd: Etcd, given: pki.KeyPair, complaint: str
) -> None:
    before = etcd.value(SERVER, "tls.crt")
    wish = etcd.scene.decide("IsekMesh", "default").wish

    etcd.give(given)
    outcome = etcd.scene.put(OWN).decide("IsekMesh", "default")

    ready = finding(outcome, "Ready")
    assert ready.reason is Reason.SECRET_INVALID
    assert ready.message == (f"{complaint}; put a certificate authority into it, or fix spec.etcd.tls.caSecret")
    assert outcome.wish == wish
    assert etcd.value(SERVER, "tls.crt") == before
