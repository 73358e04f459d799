"""Says which agents a Python file has: imports it, in a process of its own, and prints what it found as JSON."""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from isek.node.code import CodeError, Loader, agents_of


@dataclass(frozen=True)
class FoundAgent:
    """An agent, a team or an adapter."""

    attribute: str
    """What the module calls it."""
    name: str
    """What it calls itself."""
    description: str


@dataclass(frozen=True)
class Survey:
    """What importing a file has shown."""

    agents: tuple[FoundAgent, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    """All that was imported from the file's folder, the file itself included: path and a hash of its content."""
    problem: str = ""
    """Why it cannot be imported; names file and line."""

    def to_json(self) -> str:
        """As :meth:`from_json` takes it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Survey":
        """What another process has said.

        Raises:
            ValueError: it is none.
        """
        said = json.loads(text)
        return cls(tuple(FoundAgent(**each) for each in said["agents"]), said["files"], said["problem"])


def digest(path: Path) -> str:
    """A hash of a file's content; empty: it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def survey(path: Path) -> Survey:
    """Import the file ``path``, which may import its neighbours.

    An agent that it has from one of them is that one's.
    """
    folder = path.resolve().parent
    try:
        module = Loader().module(path.stem, folder)
    except CodeError as error:
        return Survey(problem=str(error))
    imported = [each for each in sys.modules.values() if _is_below(getattr(each, "__file__", None), folder)]
    others = [agent for each in imported if each is not module for agent in agents_of(each).values()]
    own = {name: agent for name, agent in agents_of(module).items() if all(agent is not other for other in others)}
    return Survey(
        agents=tuple(FoundAgent(name, str(agent.name), str(agent.description)) for name, agent in own.items()),
        files={str(each.__file__): digest(Path(str(each.__file__))) for each in imported},
    )


def _is_below(file: str | None, folder: Path) -> bool:
    return file is not None and Path(file).is_relative_to(folder)


def main() -> None:
    """Print what the file that is named as the only argument has.

    What it and the programs that it starts print goes to stderr, and its threads are not waited for.
    """
    said = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(said, "w") as pipe:
        pipe.write(survey(Path(sys.argv[1])).to_json())
    os._exit(0)


if __name__ == "__main__":
    main()
