"""Python files under `isek up`: what becomes of them, and of those that are wrong."""

from pathlib import Path

import pytest
import yaml
from isek.api.documents import DocumentError
from isek_operator.local.plan import Plan, Pod, plan
from isek_operator.local.python_files import PythonFiles

AGENT = 'from isek import EchoModel, IsekAgent\nagent = IsekAgent("{name}", model=EchoModel(), description="One")\n'
CODED = """
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {name: poet}
spec: {code: {configMapRef: {name: poets}, entrypoint: "poets:agent"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def pods(planned: Plan) -> dict[str, Pod]:
    return {pod.name: pod for pod in planned.pods}


def test_each_file_is_a_node_and_each_object_of_it_an_agent(folder: Path) -> None:
    team = (
        "from isek import EchoModel, IsekAgent, IsekTeam\nfrom poet import agent\nfrom metre import FEET\n"
        'critic = IsekAgent("critic", model=EchoModel())\n'
        'desk = IsekTeam([agent, critic], name="desk")\nalias = desk\n'
    )
    write(folder, poet=AGENT.format(name="poet"), metre="FEET = 5\n", Night_Desk=team)

    planned = plan([folder], PythonFiles())

    assert {name: pod.agents for name, pod in pods(planned).items()} == {
        "poet-node-0": ("poet.default",),
        "night-desk-node-0": ("critic.default", "desk.default"),
    }
    (poet,) = yaml.safe_load_all(pods(planned)["poet-node-0"].hosted)
    assert poet["spec"]["description"] == "One"
    assert poet["spec"]["code"]["entrypoint"] == "poet:agent"
    assert planned.problems == ()


def test_an_edit_concerns_the_files_that_import_it_alone(folder: Path) -> None:
    write(folder, metre="FEET = 5\n", poet="import metre\n" + AGENT.format(name="poet"), bard=AGENT.format(name="bard"))
    known = PythonFiles()
    before = pods(plan([folder], known))

    write(folder, metre="FEET = 6\n")
    after = pods(plan([folder], known))

    assert after["poet-node-0"] != before["poet-node-0"]
    assert after["bard-node-0"] == before["bard-node-0"]


def test_a_file_that_fails_is_named_with_its_line_and_the_rest_run(folder: Path) -> None:
    write(folder, poet=AGENT.format(name="poet"), bard="import metre\n", metre="FEET = 5\nFEET / 0\n")

    planned = plan([folder], PythonFiles())

    assert set(pods(planned)) == {"poet-node-0"}
    assert f"{folder}/metre.py, line 2: ZeroDivisionError: division by zero" in planned.problems


def test_an_edit_that_breaks_a_file_leaves_it_as_it_was(folder: Path) -> None:
    write(folder, poet=AGENT.format(name="poet"))
    known = PythonFiles()
    before = plan([folder], known)

    write(folder, poet="agent = (\n")
    broken = plan([folder], known)
    write(folder, poet=AGENT.format(name="poetess"))
    mended = plan([folder], known)

    assert broken.pods == before.pods
    assert broken.problems == (
        f"{folder}/poet.py, line 1: SyntaxError: '(' was never closed; what it was before goes on",
    )
    assert [pod.agents for pod in mended.pods] == [("poetess.default",)]
    assert mended.problems == ()


def test_of_two_files_with_an_agent_of_one_name_the_second_is_refused(folder: Path) -> None:
    write(folder, a=AGENT.format(name="poet"), b=AGENT.format(name="poet"))

    planned = plan([folder], PythonFiles())

    assert planned.problems == (f"{folder}/b.py: agent: an agent 'poet' is in {folder}/a.py already; rename one",)
    assert pods(planned)["a-node-0"].agents == ("poet.default",)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("poet", AGENT.format(name="The Poet"), "poet.py: agent: metadata.name: must be a DNS label"),
        ("helper", "FEET = 5\n", "agents: holds no agent: have a name of a module stand for an IsekAgent"),
        ("a-poet", AGENT.format(name="poet"), "a-poet.py: agent: spec.code.entrypoint"),
        ("json", AGENT.format(name="poet"), "json.py: 'json' is the name of another module of Python's"),
        ("poet", "import os\nos._exit(3)\n", "poet.py: importing it ends the process with exit code 3"),
    ],
)
def test_what_cannot_be_an_agent_is_refused_with_what_to_mend(folder: Path, name: str, text: str, said: str) -> None:
    write(folder, **{name: text})

    with pytest.raises(DocumentError) as refused:
        plan([folder], PythonFiles())

    assert said in str(refused.value)


def test_a_folder_with_neither_yaml_nor_python_is_named(folder: Path) -> None:
    with pytest.raises(DocumentError, match=r"agents: holds neither \.yaml nor \.py files"):
        plan([folder], PythonFiles())


def test_what_a_file_prints_when_it_is_imported_is_no_answer(folder: Path) -> None:
    write(folder, poet="print('{}')\n" + AGENT.format(name="poet"))

    assert plan([folder], PythonFiles()).problems == ()


def test_programs_and_threads_that_a_file_starts_when_it_is_imported_are_in_nobodys_way(folder: Path) -> None:
    starts = (
        'import os, threading, time\nos.system("echo hello")\nthreading.Thread(target=time.sleep, args=[60]).start()\n'
    )
    write(folder, poet=starts + AGENT.format(name="poet"))

    planned = plan([folder], PythonFiles())

    assert planned.problems == ()
    assert set(pods(planned)) == {"poet-node-0"}


def test_a_resource_takes_its_code_from_the_config_map_beside_it(folder: Path) -> None:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "poets"},
        "data": {"poets.py": AGENT.format(name="poet")},
    }
    (folder / "all.yaml").write_text(f"{CODED}\n---\n{yaml.safe_dump(config_map)}")

    (pod,) = plan([folder], PythonFiles()).pods

    assert pod.agents == ("poet.default",)
    assert pod.code["poets"].data == {"poets.py": AGENT.format(name="poet")}


def test_the_files_beside_a_resource_stand_for_a_config_map_that_is_not_there(folder: Path) -> None:
    (folder / "poet.yaml").write_text(CODED)
    write(folder, poets=AGENT.format(name="ignored") + 'other = IsekAgent("other", model=EchoModel())\n')

    planned = plan([folder], PythonFiles())

    assert {name: pod.agents for name, pod in pods(planned).items()} == {
        "poet-agent-0": ("poet.default",),
        "poets-node-0": ("other.default",),
    }
    assert pods(planned)["poet-agent-0"].code["poets"].folder == folder
    assert planned.notes == (
        f"ConfigMap poets: there is none here, so the files of {folder} are used",
        "agents of Python files run as they are here; on a cluster, spec.code of an IsekAgent names their code",
    )


def test_without_either_the_config_map_is_named(folder: Path) -> None:
    (folder / "poet.yaml").write_text(CODED)

    with pytest.raises(DocumentError, match="IsekAgent poet: ConfigMap 'poets' does not exist in namespace 'default'"):
        plan([folder], PythonFiles())
