"""What becomes of an IsekMesh."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from isek.api import IsekMesh, Resource
from isek.registry.record import nodes_prefix

from isek_operator.decide.conditions import Verdict, resolved_references, verdict_findings
from isek_operator.decide.etcd.availability import external_available, external_verdict, managed_available
from isek_operator.decide.etcd.certificates import Credentials, decide_certificates
from isek_operator.decide.etcd.plan import plan
from isek_operator.decide.etcd.ruling import Plan
from isek_operator.decide.etcd.versions import lowest_version
from isek_operator.decide.etcd.versions import refusal as image_refusal
from isek_operator.decide.etcd.view import EtcdAccess
from isek_operator.decide.etcd.volumes import about_volumes
from isek_operator.decide.observed_mesh import ObservedMesh, gather_mesh
from isek_operator.decide.outcome import Doomed, Finding, Manifest, Outcome, OwnFate, Upgrade
from isek_operator.decide.problem import Problem
from isek_operator.decide.reasons import Reason
from isek_operator.decide.rollout import OUTDATED
from isek_operator.decide.upgrade import NO_UPGRADE, Turn, etcd_turn, marked
from isek_operator.decide.world import World
from isek_operator.manifests.etcd import etcd_endpoints
from isek_operator.manifests.etcd_config import etcd_config_map
from isek_operator.manifests.isek_mesh import MADE_BY_DEFAULT
from isek_operator.manifests.meta import MANAGER
from isek_operator.manifests.network_policy import etcd_network_policy
from isek_operator.manifests.pod_disruption_budget import etcd_disruption_budget
from isek_operator.manifests.service import etcd_client_service, etcd_outside_service, etcd_peer_service
from isek_operator.manifests.service_account import etcd_service_account
from isek_operator.manifests.stateful_set import etcd_stateful_set
from isek_operator.settings import OperatorSettings

LOOK_FOR_REMAINS_SECONDS = 1.0


def decide_mesh(mesh: Resource, world: World, settings: OperatorSettings) -> Outcome:
    """The etcd of a mesh, and the key of its private network."""
    assert isinstance(mesh, IsekMesh)  # noqa: S101  (by whoever dispatches on the kind)
    observed = gather_mesh(mesh, world, settings)
    outcome = judge_external(observed) if mesh.spec.etcd.external else judge_managed(observed, settings)
    return outcome if observed.situation.view else replace(outcome, findings=_as_judged(mesh, outcome.findings))


def _as_judged(mesh: IsekMesh, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What the operator before this one said stands until this one has asked etcd itself."""
    judged = [each for each in mesh.status.conditions if each.observed_generation == mesh.metadata.generation]
    unasked = {each.type for each in findings if each.reason is Reason.ETCD_UNREACHABLE}
    if not unasked or not judged:
        return findings
    if "Ready" in unasked:
        unasked |= {"Reconciling", "Stalled"}
    kept = (
        Finding(each.type, each.status == "True", Reason(each.reason), each.message)  # type: ignore[call-arg]
        for each in judged
        if each.type in unasked
    )
    return (*kept, *(each for each in findings if each.type not in unasked))


def judge_external(observed: ObservedMesh) -> Outcome:
    """The decision about a mesh whose etcd somebody else runs, by what was observed alone."""
    mesh, view = observed.mesh, observed.situation.view
    available = external_available(view)
    verdict = external_verdict(view)
    if observed.missing_secrets:
        verdict = Verdict.stuck(observed.missing_secrets[0])
    relays = observed.relays
    return Outcome(
        findings=(
            *verdict_findings(relays.judge(verdict)),
            available,
            *relays.findings,
            *observed.rotation.findings,
            resolved_references(observed.missing_secrets),
        ),
        status={
            "etcdVersion": lowest_version(view) or (mesh.status.etcd_version if view is None else None),
            "nodes": observed.users,
            "endpoint": etcd_endpoints(mesh)[0],
            "privateNetworkKeys": list(observed.network_keys) or None,
            **relays.status,
        },
        wish=tuple(relays.wish),
        secrets=(*observed.rotation.secrets, *relays.secrets),
        kept=relays.kept,
        fate=_fate(observed),
        etcd=_access(observed, settled=verdict.ready),
        look_again_after=observed.rotation.look_again_after,
    )


def judge_managed(observed: ObservedMesh, settings: OperatorSettings) -> Outcome:
    """The decision about a mesh with an etcd of our own, by what was observed alone."""
    mesh, situation = observed.mesh, observed.situation
    recreating = observed.misshapen or bool(observed.remains)
    credentials = decide_certificates(observed.certificates)
    version = lowest_version(situation.view) or mesh.status.etcd_version or ""
    refused = None if situation.membership.untouched else image_refusal(version, mesh.spec.etcd.image)
    planned = Plan(situation.membership, None, _recreating(observed)) if recreating else plan(situation)
    # what is not there is not looked into
    problems = observed.missing_secrets or ((credentials.problem,) if credentials.problem else ())
    image = (refused and observed.image) or mesh.spec.etcd.image
    its_turn = NO_UPGRADE if recreating else _turn(observed, settings)
    verdict = _verdict(observed, planned, problems, image, refused)
    if verdict.ready:
        verdict = about_volumes(observed.volumes) or verdict
    if verdict.ready and its_turn.upgrade is Upgrade.WAITS:
        verdict = replace(verdict, message=verdict.message + OUTDATED)
    relays = observed.relays
    available = _unavailable(observed) if recreating else managed_available(situation, observed.ready_members)
    return Outcome(
        findings=(
            *verdict_findings(relays.judge(verdict)),
            available,
            *relays.findings,
            *observed.rotation.findings,
            resolved_references(problems),
        ),
        status={
            "etcdReadyReplicas": observed.ready_members,
            "etcdVersion": version or None,
            "pods": f"{observed.ready_members}/{mesh.spec.etcd.replicas}",
            "nodes": observed.users,
            "endpoint": etcd_endpoints(mesh)[0],
            "privateNetworkKeys": list(observed.network_keys) or None,
            **_exposed(observed),
            **relays.status,
        },
        wish=(
            *_wish(observed, planned, credentials, settings, image, mark=its_turn.mark, recreating=recreating),
            *relays.wish,
        ),
        secrets=(*observed.rotation.secrets, *credentials.secrets, *relays.secrets),
        kept=relays.kept,
        doomed=(_doomed(observed.stateful_set),) if observed.misshapen and observed.stateful_set else (),
        fate=_fate(observed),
        upgrade=its_turn.upgrade,
        etcd=None if recreating else _access(observed, settled=planned.settled and available.status),
        etcd_step=planned.step,
        certificates=credentials.expiries,
        look_again_after=_look_again_after(observed, credentials, available, recreating=recreating),
    )


def _wish(
    observed: ObservedMesh,
    planned: Plan,
    credentials: Credentials,
    settings: OperatorSettings,
    image: str,
    *,
    mark: str | None,
    recreating: bool,
) -> Iterable[Manifest]:
    mesh = observed.mesh
    yield etcd_service_account(mesh)
    yield from (etcd_peer_service(mesh), etcd_client_service(mesh))
    if mesh.spec.etcd.expose:
        yield etcd_outside_service(mesh, mesh.spec.etcd.expose)
    yield from (etcd_disruption_budget(mesh), etcd_network_policy(mesh, settings))
    trust = credentials.trust or observed.trust
    if trust:
        # before the StatefulSet: a pod finds what it starts with
        yield etcd_config_map(mesh, planned.membership)
    if trust and not recreating:
        yield marked(etcd_stateful_set(mesh, planned.membership, settings, image, trust), mark)


def _exposed(observed: ObservedMesh) -> dict[str, str]:
    """Where other clusters come to the etcd, as soon as that is known."""
    exposure = observed.mesh.spec.etcd.expose
    ports = observed.outside["spec"]["ports"] if observed.outside and exposure else ()
    numbers = [each.get("nodePort" if exposure and exposure.type == "NodePort" else "port") for each in ports]
    if exposure is None or not (numbers and numbers[0]):
        return {}
    host = exposure.names[0]
    return {"exposed": f"https://[{host}]:{numbers[0]}" if ":" in host else f"https://{host}:{numbers[0]}"}


def _access(observed: ObservedMesh, *, settled: bool) -> EtcdAccess:
    if not observed.rotation.asks_nodes:
        return replace(observed.access, settled=settled)
    return replace(observed.access, nodes_prefix=nodes_prefix(observed.mesh.mesh_id), settled=False)


def _turn(observed: ObservedMesh, settings: OperatorSettings) -> Turn:
    if observed.stateful_set is None:
        return NO_UPGRADE
    outdated = any(pod.outdated and pod.upgrade for pod in observed.situation.pods.values())
    return etcd_turn(observed.stateful_set, observed.upgrades, settings, outdated=outdated)


def _fate(observed: ObservedMesh) -> OwnFate:
    if MADE_BY_DEFAULT not in observed.mesh.metadata.labels:
        return OwnFate.KEEP
    if observed.spec_managers - {MANAGER}:
        return OwnFate.ADOPT
    return OwnFate.KEEP if observed.users else OwnFate.DELETE


def _verdict(
    observed: ObservedMesh, planned: Plan, problems: Sequence[Problem], image: str, refused: Problem | None
) -> Verdict:
    if problems:
        return Verdict.stuck(problems[0])
    if not planned.verdict.ready:
        return planned.verdict
    if observed.image != image:
        return Verdict.moving(Reason.ROLLING_OUT, f"members with image {image} are on their way")
    status = observed.status
    generation = observed.stateful_set["metadata"].get("generation", 0) if observed.stateful_set else 1
    if (status.get("observedGeneration") or 0) < generation:
        return Verdict.moving(Reason.ROLLING_OUT, "the StatefulSet is about to follow the latest specification")
    return Verdict.stuck(refused) if refused else planned.verdict


def _unavailable(observed: ObservedMesh) -> Finding:
    verdict = _recreating(observed)
    return Finding("EtcdAvailable", False, verdict.reason, verdict.message)


def _recreating(observed: ObservedMesh) -> Verdict:
    waiting = f"waiting for {', '.join(observed.remains)} to go" if observed.remains else "the former one goes first"
    message = f"the etcd of mesh {observed.mesh.name!r} is made anew, empty; nodes register again: {waiting}"
    return Verdict.moving(Reason.RECREATING, message)


def _look_again_after(
    observed: ObservedMesh, credentials: Credentials, available: Finding, *, recreating: bool
) -> float | None:
    if recreating:
        return LOOK_FOR_REMAINS_SECONDS
    waits = [credentials.look_again_after, observed.rotation.look_again_after]
    until_lost = observed.situation.lost_seconds - observed.situation.unavailable_seconds
    if not available.status and until_lost > 0:
        waits.append(max(until_lost, LOOK_FOR_REMAINS_SECONDS))
    return min((each for each in waits if each is not None), default=None)


def _doomed(stateful_set: Manifest) -> Doomed:
    metadata = stateful_set["metadata"]
    return Doomed("StatefulSet", metadata["name"], metadata["uid"])
