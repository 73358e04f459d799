"""The agents of Python files as resources, and what stands for the ConfigMaps with the code of agents."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

from isek.api import IsekAgent, IsekNode, Resource
from isek.api.fields import MAX_NAME_LENGTH
from isek.api.schema import explain
from isek.node.survey import FoundAgent
from pydantic import ValidationError

from isek_operator.local.python_files import PythonFile, PythonFiles, python_files

LONGEST_RUN_SECONDS = 86400
"""What the resource of a Python object allows: the object has limits of its own."""
LONGEST_DESCRIPTION = 1024
LONGEST_STEM = MAX_NAME_LENGTH - 4
"""What is left of a file's name, beside a number."""
MOST_AGENTS = 30
"""On one node; the others are told that it is full."""
FOR_A_CLUSTER = "agents of Python files run as they are here; on a cluster, spec.code of an IsekAgent names their code"
WITHOUT_AGENTS = "holds no agent: have a name of a module stand for an IsekAgent, an IsekTeam or an Adapter"


@dataclass(frozen=True)
class CodeFiles:
    """The files of one ConfigMap."""

    revision: str
    """Another one when what is in them has changed."""
    folder: Path | None = None
    """Where they are; None: nowhere yet."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Their contents, where they are nowhere yet."""

    def names(self) -> set[str]:
        """Of the files."""
        return {path.name for path in self.folder.glob("*.py")} if self.folder else set(self.data)


ConfigMaps = dict[tuple[str, str], CodeFiles]
"""By namespace and name."""


@dataclass(frozen=True)
class LocalCode:
    """What the Python files beside some YAML files come to."""

    resources: tuple[Resource, ...]
    """An IsekNode for each file, and an IsekAgent for each of its agents that no resource of the YAML files names."""
    config_maps: ConfigMaps
    """What stands for the ConfigMaps that these resources, and those of the YAML files, refer to."""
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    """What is wrong with single files; the others run."""


@dataclass(frozen=True)
class _StandIn:
    """A file of a folder in the place of a ConfigMap that is not there."""

    config_map: tuple[str, str]
    path: Path
    attribute: str


def local_code(
    paths: Sequence[Path], resources: Sequence[Resource], there: ConfigMaps, known: PythonFiles, namespace: str
) -> LocalCode:
    """What to make of the Python files among ``paths``, and of those beside YAML files that name them.

    Args:
        paths: files and folders.
        resources: of the YAML files.
        there: the ConfigMaps among the documents of the YAML files.
        known: what the files were before.
        namespace: where the agents of the files live.
    """
    stand_ins = tuple(_stand_ins(paths, resources, there))
    given = [path.resolve() for path in _given(paths)]
    surveyed = known.survey([*given, *(each.path for each in stand_ins)])
    claimed = {(each.path, each.attribute) for each in stand_ins}
    revisions = {file.path: file.revision for file in surveyed.files}
    config_maps = dict(there)
    for each in stand_ins:
        others = config_maps.get(each.config_map, CodeFiles("")).revision
        config_maps[each.config_map] = CodeFiles(f"{others} {revisions.get(each.path)}", each.path.parent)
    made, problems = _Made(namespace), list(surveyed.problems)
    for file in surveyed.files:
        if file.path in given:
            problems += made.add(file, [each for each in file.agents if (file.path, each.attribute) not in claimed])
    if not problems and not any(file.agents for file in surveyed.files):
        problems += [f"{path}: {WITHOUT_AGENTS}" for path in paths if path in _given([path]) or not _has_yaml(path)]
    notes = {FOR_A_CLUSTER} if made.resources else set()
    notes |= {
        f"ConfigMap {each.config_map[1]}: there is none here, so the files of {each.path.parent} are used"
        for each in stand_ins
    }
    return LocalCode(tuple(made.resources), config_maps | made.config_maps, tuple(sorted(notes)), tuple(problems))


def yaml_paths(paths: Sequence[Path]) -> list[Path]:
    """Those where there is YAML to be read, or nothing at all."""
    return [path for path in paths if path.suffix != ".py" and (_has_yaml(path) or not _given([path]))]


def _given(paths: Iterable[Path]) -> list[Path]:
    found = (python_files(path) if path.is_dir() else [path] for path in paths)
    return [path for files in found for path in files if path.suffix == ".py"]


def _has_yaml(path: Path) -> bool:
    return not path.is_dir() or any(each.suffix in {".yaml", ".yml"} for each in path.iterdir())


def _stand_ins(paths: Iterable[Path], resources: Iterable[Resource], there: ConfigMaps) -> Iterator[_StandIn]:
    folders = [path if path.is_dir() else path.parent for path in paths]
    for agent in resources:
        code = agent.spec.code if isinstance(agent, IsekAgent) else None
        if code is None or code.config_map_ref is None or (agent.namespace, code.config_map_ref.name) in there:
            continue
        folder = next((each for each in folders if (each / code.file).is_file()), None)
        if folder is not None:
            path = folder.resolve() / code.file
            yield _StandIn((agent.namespace, code.config_map_ref.name), path, code.entrypoint.partition(":")[2])


class _Made:
    """The resources of Python files, as they come."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._files: dict[str, Path] = {}
        """By the name of an agent, where it is."""
        self._nodes: set[str] = set()
        self.resources: list[Resource] = []
        self.config_maps: ConfigMaps = {}

    def add(self, file: PythonFile, agents: Sequence[FoundAgent]) -> list[str]:
        """Take in a file with its agents; what is wrong with single ones."""
        node, problems, made = self._node_name(file.path), [], []
        for agent in agents:
            where = f"{file.path}: {agent.attribute}"
            if agent.name in self._files:
                other = self._files[agent.name]
                problems.append(f"{where}: an agent {agent.name!r} is in {other} already; rename one")
                continue
            try:
                made.append(self._agent(agent, node, file.path))
            except ValidationError as error:
                problems += [f"{where}: {line}" for line in explain(error)]
                continue
            self._files[agent.name] = file.path
        if made:
            spec = {"maxAgents": min(len(made), MOST_AGENTS)}
            self.resources += [IsekNode.model_validate(self._manifest(node, spec)), *made]
            self.config_maps[self._namespace, _config_map(node)] = CodeFiles(file.revision, file.path.parent)
            self._nodes.add(node)
        return problems

    def _agent(self, agent: FoundAgent, node: str, path: Path) -> IsekAgent:
        spec = {
            "nodeRef": {"name": node},
            "description": agent.description[:LONGEST_DESCRIPTION],
            "limits": {"timeoutSeconds": LONGEST_RUN_SECONDS},
            "code": {
                "configMapRef": {"name": _config_map(node)},
                "entrypoint": f"{path.stem}:{agent.attribute}",
            },
        }
        return IsekAgent.model_validate(self._manifest(agent.name, spec))

    def _node_name(self, path: Path) -> str:
        """A name that no other file has."""
        stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:LONGEST_STEM].strip("-") or "file"
        return next(name for name in chain([stem], (f"{stem}-{more}" for more in count(2))) if name not in self._nodes)

    def _manifest(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": self._namespace}, "spec": spec}


def _config_map(node: str) -> str:
    """A name that hardly anybody gives to a ConfigMap."""
    return f"{node}.py"
