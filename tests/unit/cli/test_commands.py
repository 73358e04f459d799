"""The command as a whole, without anything that it could talk to."""

import re
import subprocess
import sys

import pytest
from click import ClickException
from click.testing import CliRunner
from isek import __version__
from isek.cli.http_call import Reply, raise_for_error
from isek.cli.main import main
from isek.cli.meshes import not_found

HEAVY = ("aiohttp", "asyncio", "kubernetes", "pydantic", "yaml", "fastapi", "openai", "loguru", "isek_operator.decide")


def test_help_lists_every_command_also_those_of_other_packages() -> None:
    shown = CliRunner().invoke(main, ["--help"])

    assert shown.exit_code == 0
    listed = re.findall(r"^  (\w+)", shown.output.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE)
    assert " ".join(listed) == (
        "ask chat clean completion doctor down example explain nodes registry setup topic tree up version"
    )


def test_the_help_of_the_whole_and_of_each_command_imports_nothing_heavy() -> None:
    program = f"""
import sys
from click import Context
from isek.cli.main import main
for words in ([], *([name] for name in main.list_commands(Context(main)))):
    main([*words, "--help"], standalone_mode=False)
sys.exit(str([name for name in {HEAVY} if name in sys.modules]).strip("[]"))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "Usage: -c version" in finished.stdout
    assert finished.stderr.strip() == ""


def test_the_version_is_the_package_s() -> None:
    assert CliRunner().invoke(main, ["version"]).output == f"{__version__}\n"


def test_a_command_that_does_not_exist_is_refused() -> None:
    shown = CliRunner().invoke(main, ["fly"])

    assert shown.exit_code == 2
    assert "No such command 'fly'" in shown.output


def test_local_and_context_exclude_each_other() -> None:
    shown = CliRunner().invoke(main, ["ask", "a", "hi", "--local", "--context", "kind"])

    assert shown.exit_code == 2
    assert "--local and --context exclude each other" in shown.output


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (["writer.news", "editor.news"], "did you mean writer?"),
        (["zebra.news"], "there are zebra.news"),
        ([], "there are none: `kubectl apply"),
    ],
)
def test_an_agent_that_does_not_exist_is_named_with_what_does(known: list[str], said: str) -> None:
    message = not_found("writr", "news", known, "the local mesh").message

    assert message.startswith("there is no agent or team 'writr' in namespace 'news' of the local mesh; ")
    assert said in message


def test_an_error_of_the_node_is_one_line_with_its_hint() -> None:
    error = {"error": {"code": "ModelTimeout", "message": "no answer in 60 s", "hint": "ask later"}}

    with pytest.raises(ClickException) as timeout:
        raise_for_error(Reply(504, error), "node a")
    with pytest.raises(ClickException) as proxied:
        raise_for_error(Reply(502, None), "node a")

    assert timeout.value.message == "ModelTimeout: no answer in 60 s; ask later"
    assert proxied.value.message == "node a answered with HTTP status 502; see its log"


@pytest.mark.parametrize("command", [["up", "-f", "x"], ["down"], ["nodes"], ["ask", "a", "b"]], ids=lambda c: c[0])
def test_a_mesh_s_name_cannot_lead_out_of_its_folder(command: list[str]) -> None:
    shown = CliRunner().invoke(main, [*command, "--name", "../.."])

    assert shown.exit_code == 2
    assert "a name is made of a-z, 0-9 and -" in shown.output


def test_the_version_is_an_option_as_elsewhere_too() -> None:
    said = {CliRunner().invoke(main, [each]).output for each in ("version", "--version")}

    assert said == {f"{__version__}\n"}
