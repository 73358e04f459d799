import pytest
from click.testing import CliRunner
from isek.cli.kubectl import main as kubectl_isek
from isek.cli.main import main


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_learns_how_to_ask_for_words(shell: str) -> None:
    shown = CliRunner().invoke(main, ["completion", shell])

    assert "_ISEK_COMPLETE" in shown.output
    assert "isek" in shown.output


def test_commands_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ISEK_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", "isek comp")
    monkeypatch.setenv("COMP_CWORD", "comp")

    assert "completion" in CliRunner().invoke(main, [], prog_name="isek", complete_var="_ISEK_COMPLETE").output


def test_beside_kubectl_there_are_the_commands_for_clusters() -> None:
    listed = CliRunner().invoke(kubectl_isek, ["--help"]).output.partition("Commands:")[2].split("\n")[1:-1]

    assert [line.split()[0] for line in listed] == ["ask", "explain", "nodes", "tree"]
    assert CliRunner().invoke(kubectl_isek, ["up"]).exit_code == 2
