"""The agents of Python files: each file is imported in a process of its own, and asked what it has."""

import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from isek.node.survey import FoundAgent, Survey, digest
from isek.processes.process import inherited_environment

from isek_operator.local.programs import python_program

SURVEY_SECONDS = 30
AT_A_TIME = 4


@dataclass(frozen=True)
class PythonFile:
    """A file as it was when it was imported last."""

    path: Path
    agents: tuple[FoundAgent, ...]
    revision: str
    """Another one when the file, or what it imports of its neighbours, has changed."""


@dataclass(frozen=True)
class Surveyed:
    """What some Python files have."""

    files: tuple[PythonFile, ...] = ()
    """Those that can be imported, or could before they were edited."""
    problems: tuple[str, ...] = ()
    """Why others cannot be, a line each."""


class PythonFiles:
    """Looks at Python files, and remembers what each was when it could be imported last."""

    def __init__(self) -> None:
        self._good: dict[Path, Survey] = {}

    def survey(self, paths: Iterable[Path]) -> Surveyed:
        """What these files have. Those that have not changed, nor what they import, are not imported again."""
        wanted = list(dict.fromkeys(path.resolve() for path in paths))
        due = [path for path in wanted if path not in self._good or _has_changed(self._good[path])]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            new = dict(zip(due, pool.map(_survey, due), strict=True))
        problems = [
            f"{each.problem}{'; what it was before goes on' if path in self._good else ''}"
            for path, each in new.items()
            if each.problem
        ]
        self._good |= {path: each for path, each in new.items() if not each.problem}
        self._good = {path: each for path, each in self._good.items() if path in wanted}
        files = [PythonFile(path, each.agents, _revision(each)) for path, each in sorted(self._good.items())]
        return Surveyed(tuple(files), tuple(problems))


def python_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold agents: not those that begin with an underscore or a dot."""
    return sorted(path for path in folder.glob("*.py") if path.name[0] not in "_.")


def _has_changed(survey: Survey) -> bool:
    return any(digest(Path(path)) != before for path, before in survey.files.items())


def _revision(survey: Survey) -> str:
    return " ".join(sorted(survey.files.values()))


def _survey(path: Path) -> Survey:
    command = (*python_program("isek.node.survey"), str(path))
    try:
        done = subprocess.run(
            command,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SURVEY_SECONDS,
            check=False,
        )
        return Survey.from_json(done.stdout.decode())
    except subprocess.TimeoutExpired:
        return Survey(
            problem=f"{path}: importing it takes longer than {SURVEY_SECONDS} s; what it runs as a script, "
            'put below if __name__ == "__main__":'
        )
    except ValueError:
        return Survey(problem=f"{path}: importing it ends the process with exit code {done.returncode}")
