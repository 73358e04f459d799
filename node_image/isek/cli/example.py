"""``isek example``."""

import ast
import os
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

import click

from isek.cli.output import OUTPUT, aligned, show

PACKAGE = Path(__file__).parents[1]


@click.group
def example() -> None:
    """Small programs to begin with, one for each thing that agents can do."""


@example.command("list")
@OUTPUT
def list_examples(output: str) -> None:
    """List the examples, the easiest first."""
    known = scripts()
    if output != "text":
        show([{"name": name, "about": about(path), "file": str(path)} for name, path in known.items()], output)
        return
    for name, said in aligned([(name, about(path)) for name, path in known.items()]):
        click.echo(f"{click.style(name, bold=True)}   {said}")
    click.secho("\nisek example run NAME starts one; OPENAI_API_KEY or OPENAI_BASE_URL leads to a model", dim=True)


@example.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(name: str, arguments: tuple[str, ...]) -> None:
    """Run an example, with its ARGUMENTS if it takes some."""
    known = scripts()
    if name not in known:
        alike = get_close_matches(name, known, n=1, cutoff=0.3)
        hint = f"did you mean {alike[0]}?" if alike else "see `isek example list`"
        raise click.ClickException(f"there is no example {name!r}; {hint}")
    if find_spec("openai") is None:
        raise click.ClickException("the packages that agents need are not installed; pip install 'isek-operator[node]'")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(known[name]), *arguments])  # noqa: S606  (no shell)


def scripts() -> dict[str, Path]:
    """The examples by their names, by level."""
    found = {path.stem: path for path in examples_folder().glob("lv*_*.py")}
    return {name: found[name] for name in sorted(found, key=lambda name: int(name[2 : name.index("_")]))}


def examples_folder() -> Path:
    """Where they are: within the installed package, or beside it in a checkout."""
    packaged = PACKAGE / "_examples"
    return packaged if packaged.is_dir() else PACKAGE.parents[1] / "examples"


def about(path: Path) -> str:
    """The first sentence that an example says of itself."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.partition(". ")[0].rstrip(".")
