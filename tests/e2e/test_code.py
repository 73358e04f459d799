"""The agent of a Python file on a cluster: as in a script, and what becomes of edits."""

from pathlib import Path

from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl
from tests.support.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "my-agent"
AGENT = "isekagent", "croupier"
SEEN_SECONDS = 90
"""Code is read every 30 s, and what nodes say as often."""


async def test_the_same_file_answers_an_edit_rolls_out_and_a_broken_one_takes_nothing_away(
    namespace: Kubectl,
) -> None:
    await namespace("apply", "--server-side", "-k", EXAMPLE)
    await namespace.until_condition(*AGENT, within=180)
    isek = Isek(namespace)

    async def says(text: str) -> bool:
        return (await isek.ask("croupier", "roll the dice")).text == text

    assert await says("You rolled a 4.")

    await edit(namespace, "return 4", "return 6")
    await until(lambda: says("You rolled a 6."), what="the edit is rolled out", within=SEEN_SECONDS + 60)
    await namespace.until_condition(*AGENT)

    await edit(namespace, "from keyword_model import", "from no_such_module import")
    await namespace.until_condition(*AGENT, "Stalled", within=SEEN_SECONDS + 60)
    conditions = {each["type"]: each for each in (await namespace.get(*AGENT))["status"]["conditions"]}
    assert conditions["Ready"]["reason"] == "AgentInvalid"
    line = 1 + (EXAMPLE / "my_agent.py").read_text().splitlines().index("from keyword_model import KeywordModel")
    assert (
        f"my_agent.py, line {line}: ModuleNotFoundError: No module named 'no_such_module'"
        in (conditions["Ready"]["message"])
    )
    assert await says("You rolled a 6.")

    await edit(namespace, "return 4", "return 2")
    await namespace.until_condition(*AGENT, within=SEEN_SECONDS + 60)
    await until(lambda: says("You rolled a 2."), what="what was mended is rolled out", within=SEEN_SECONDS)


async def edit(namespace: Kubectl, before: str, after: str) -> None:
    """Apply the files of the example with one change of my_agent.py."""
    files = {path.name: path.read_text() for path in EXAMPLE.glob("*.py")}
    assert before in files["my_agent.py"]
    files["my_agent.py"] = files["my_agent.py"].replace(before, after)
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "my-agent"}, "data": files}
    await namespace.apply({**manifest})
