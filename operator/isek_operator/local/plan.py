"""From documents to the pods that an operator would make for them, and what becomes of each without a cluster."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isek import environment
from isek.api import KINDS, IsekAgent, IsekMesh, Resource
from isek.api.documents import Document, DocumentError, load, parse
from isek.environment import API_KEY

from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.decide.references import User, mesh, mesh_name, model_keys
from isek_operator.local.children import children
from isek_operator.local.code import CodeFiles, LocalCode, local_code, yaml_paths
from isek_operator.local.python_files import PythonFiles
from isek_operator.local.world import LocalWorld, SecretName, read_config_maps, read_namespaces, read_secrets
from isek_operator.manifests.config_map import HOSTED_FILE
from isek_operator.reconcile.decisions import Decide, decisions
from isek_operator.settings import OperatorSettings

NAMESPACE = "default"
UNDERSTOOD = {"Secret", "ConfigMap", "Namespace", "Kustomization"}
"""Kinds of documents that mean something here, or make something up for those that do."""
OF_SERVICES = {"ISEK_LINGER_SECONDS", "ISEK_TLS_PORT"}
"""What a node of a cluster waits for when it ends, that callers by a Service learn of it, and what the Service speaks.
Here it has none."""


@dataclass(frozen=True)
class Pod:
    """What a pod would be, ready to be run as processes. Two equal ones need no restart."""

    name: str
    namespace: str
    mesh: str
    """``<namespace>/<name>``."""
    mesh_id: str
    hosted: str
    """The content of ``hosted.yaml``."""
    agents: tuple[str, ...]
    """Addresses."""
    environment: Mapping[str, str] = field(repr=False)
    """Of the node container, without what only a cluster knows."""
    p2p: bool
    """Whether it has a sidecar."""
    network_key: SecretName | None = None
    """The Secret with the key of the mesh's private network; None: one that is made."""
    code: Mapping[str, CodeFiles] = field(default_factory=dict)
    """The files of the ConfigMaps with its agents' code, by their names."""
    remembers: bool = False
    """Whether memories in SQLite lie with it."""

    @property
    def node_id(self) -> str:
        """``<pod>.<namespace>``."""
        return f"{self.name}.{self.namespace}"


@dataclass(frozen=True)
class Plan:
    """What is to run."""

    pods: tuple[Pod, ...]
    secrets: Mapping[SecretName, Mapping[str, bytes]] = field(repr=False)
    entry: str
    """Whom to ask first: the address of a team where there is one."""
    notes: tuple[str, ...]
    """What is different from a cluster: what is passed over, and why."""
    problems: tuple[str, ...]
    """What is wrong with single Python files; what others ask for runs."""
    children: Mapping[str, Sequence[str]]
    """What an operator would make for each resource: ``<kind> <name>`` of each object, by ``<kind> <name>``."""


def plan(paths: Sequence[Path], known: PythonFiles) -> Plan:
    """What the files and folders ask for; ``known`` remembers Python files from plan to plan.

    Raises:
        DocumentError: a YAML file is wrong, something that is referred to is missing, or there is nothing to run; one
            line for each problem.
    """
    loaded = load(yaml_paths(paths), namespace=NAMESPACE)
    documents = [each for each in loaded if isinstance(each, Document)]
    written = [each for each in loaded if isinstance(each, Resource)]
    code = local_code(paths, written, read_config_maps(documents, NAMESPACE), known, NAMESPACE)
    resources = [*written, *code.resources]
    secrets = read_secrets(documents, NAMESPACE)
    borrowed = list(_borrow_api_keys(resources, secrets))
    world = LocalWorld(resources, secrets, read_namespaces(documents), code.config_maps)
    decide = decisions(OperatorSettings())
    outcomes = _decide_all(world, decide)
    problems = [line for resource, outcome in outcomes for line in _problems(resource, outcome)]
    if problems:
        raise DocumentError("\n".join(dict.fromkeys((*code.problems, *problems))))
    pods = tuple(pod for resource, outcome in outcomes for pod in _pods(resource, outcome, world, secrets, code))
    if not pods:
        nothing = "nothing to run: there is no IsekAgent, IsekTeam or IsekNode with replicas"
        raise DocumentError("\n".join((*code.problems, nothing)))
    notes = (*borrowed, *code.notes, *_passed_over(documents, written))
    made = dict(children(outcomes, written, decide, world))
    return Plan(pods, secrets, _entry(pods, world), notes, code.problems, made)


def _decide_all(world: LocalWorld, decide: Decide) -> list[tuple[Resource, Outcome]]:
    """The decision about each resource, once all default meshes are there."""
    outcomes = [(resource, decide(resource, world)) for resource in world.all()]
    missing = {str(made): made for _, outcome in outcomes for made in outcome.companions}
    if not missing:
        return outcomes
    for manifest in missing.values():
        world.add(KINDS[manifest["kind"]].model_validate({key: manifest[key] for key in ("metadata", "spec")}))
    return _decide_all(world, decide)


def _problems(resource: Resource, outcome: Outcome) -> Iterator[str]:
    for finding in outcome.findings:
        if (finding.type, finding.status) in {("Stalled", True), ("ResolvedRefs", False)}:
            missing = finding.reason is Reason.SECRET_NOT_FOUND
            keys = (key for key in model_keys(resource, "OpenAI") if missing and key.field in finding.message)
            hint = f", or export {API_KEY}" if any(keys) else ""
            yield f"{resource.kind} {resource.name}: {finding.message}{hint}"


def _borrow_api_keys(resources: Sequence[Resource], secrets: dict[SecretName, dict[str, bytes]]) -> Iterator[str]:
    """Let the environment's key stand in for keys of OpenAI models that no Secret document holds."""
    key = environment.variable(API_KEY)
    if not key:
        return
    source = "the environment" if API_KEY in os.environ else environment.DOTENV
    for resource in resources:
        for wanted in model_keys(resource, "OpenAI"):
            secret = secrets.setdefault((resource.namespace, wanted.name), {})
            if wanted.key not in secret:
                secret[wanted.key] = key.encode()
                yield f"Secret {wanted.name}: there is none here, so {API_KEY} of {source} is used"


def _pods(
    resource: Resource,
    outcome: Outcome,
    world: LocalWorld,
    secrets: Mapping[SecretName, Mapping[str, bytes]],
    code: LocalCode,
) -> Iterator[Pod]:
    wishes = {wish["kind"]: wish for wish in outcome.wish or ()}
    deployment = wishes.get("Deployment")
    if deployment is None or not isinstance(resource, User):
        return
    named = mesh_name(resource, world)
    joined = mesh(*named, world) if named else None
    assert joined is not None  # noqa: S101  (else there would be no Deployment)
    hosted = wishes["ConfigMap"]["data"][HOSTED_FILE]
    parsed = parse(hosted, source=HOSTED_FILE, namespace=resource.namespace)
    hosts = [each for each in parsed if isinstance(each, Resource)]
    addresses = tuple(f"{each.name}.{each.namespace}" for each in hosts)
    spec = deployment["spec"]["template"]["spec"]
    for number in range(deployment["spec"]["replicas"]):
        name = f"{deployment['metadata']['name']}-{number}"
        yield Pod(
            name=name,
            namespace=resource.namespace,
            mesh=str(named),
            mesh_id=joined.mesh_id,
            hosted=hosted,
            agents=addresses,
            environment=_environment(resource, name, spec["containers"][0], secrets),
            p2p="initContainers" in spec,
            network_key=(joined.namespace, given)
            if (given := joined.spec.p2p.private_network_key.secret_name)
            else None,
            code=dict(_code(hosts, code)),
            remembers=any(isinstance(each, IsekAgent) and _in_sqlite(each) for each in hosts),
        )


def _code(hosts: Iterable[Resource], code: LocalCode) -> Iterator[tuple[str, CodeFiles]]:
    for host in hosts:
        found = host.spec.code if isinstance(host, IsekAgent) else None
        if found and found.config_map_ref:
            name = found.config_map_ref.name
            yield name, code.config_maps[host.namespace, name]


def _in_sqlite(agent: IsekAgent) -> bool:
    return agent.spec.memory is not None and agent.spec.memory.provider == "SQLite"


def _environment(
    resource: User, pod: str, container: Manifest, secrets: Mapping[SecretName, Mapping[str, bytes]]
) -> dict[str, str]:
    fields = {"metadata.name": pod, "metadata.namespace": resource.namespace, "status.podIP": "127.0.0.1"}
    values: dict[str, str] = {}
    for variable in container["env"]:
        if variable["name"] in OF_SERVICES:
            continue
        source: dict[str, Any] = variable.get("valueFrom") or {}
        if "secretKeyRef" in source:
            selector = source["secretKeyRef"]
            secret = secrets.get((resource.namespace, selector["name"]), {})
            if selector["key"] in secret:
                values[variable["name"]] = secret[selector["key"]].decode(errors="replace")
        elif "fieldRef" in source:
            values[variable["name"]] = fields.get(source["fieldRef"]["fieldPath"], "")
        elif not source:
            values[variable["name"]] = variable.get("value", "")
    return values


def _entry(pods: Sequence[Pod], world: LocalWorld) -> str:
    addresses = [address for pod in pods for address in pod.agents]
    teams = [each for each in addresses if world.resource("IsekTeam", *reversed(each.split(".")))]
    return next(iter(teams or addresses), "")


def _passed_over(documents: Sequence[Document], resources: Sequence[Resource]) -> Iterator[str]:
    for document in documents:
        kind, metadata = document.manifest["kind"], document.manifest.get("metadata") or {}
        if kind not in UNDERSTOOD:
            yield f"{kind} {metadata.get('name', '')}: skipped, it needs a cluster"
    for resource in resources:
        if isinstance(resource, IsekMesh):
            yield f"IsekMesh {resource.name}: a registry process stands in for its etcd, which needs a cluster"
        elif isinstance(resource, User) and resource.spec.template is not None:
            given = resource.spec.template.to_manifest()
            for variable in given.pop("env", ()):
                source = next(iter(variable.get("valueFrom") or {}), "")
                if source not in {"", "secretKeyRef", "fieldRef"}:
                    yield f"{resource.kind} {resource.name}: template.env {variable['name']}: {source} needs a cluster"
            if given:
                fields = ", ".join(f"template.{name}" for name in sorted(given))
                yield f"{resource.kind} {resource.name}: {fields} passed over: processes have none of it"
