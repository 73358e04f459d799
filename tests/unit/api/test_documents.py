from pathlib import Path

import pytest
from isek.api import IsekAgent, IsekTeam
from isek.api.documents import Document, DocumentError, load, parse

AGENT = """
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {name: %s}
spec: {model: {provider: Echo}}
"""


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(AGENT % "second")
    (tmp_path / "a.yml").write_text(AGENT % "first" + "---\n" + AGENT % "beside")
    (tmp_path / "readme.md").write_text("# not read")

    loaded = load([tmp_path], namespace="newsroom")

    assert [(type(each), each.name, each.namespace) for each in loaded if isinstance(each, IsekAgent)] == [
        (IsekAgent, "first", "newsroom"),
        (IsekAgent, "beside", "newsroom"),
        (IsekAgent, "second", "newsroom"),
    ]


def test_objects_of_others_come_back_as_they_are() -> None:
    [secret] = parse("{apiVersion: v1, kind: Secret, metadata: {name: s}}", source="x.yaml")

    assert secret == Document("x.yaml", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})


def test_a_list_is_read_item_by_item() -> None:
    text = """
    kind: List
    apiVersion: v1
    items:
    - {apiVersion: isek.io/v1alpha1, kind: IsekTeam, metadata: {name: t}, spec: {members: [{agent: {name: a}}]}}
    """

    [team] = parse(text, source="x.yaml")

    assert isinstance(team, IsekTeam)
    assert team.spec.members[0].address == "a"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "x.yaml: not YAML: "),
        ("just text", "x.yaml: document 1: no Kubernetes object; it needs apiVersion, kind and metadata"),
        ("{apiVersion: isek.io/v1alpha1, kind: IsekAgnt}", "no such kind; there are IsekMesh, IsekNode, IsekAgent"),
        ("{apiVersion: isek.io/v9, kind: IsekAgent}", "apiVersion isek.io/v9 is not known; use isek.io/v1alpha1"),
        (AGENT % "a" + "  extra: 1", "not YAML"),
        ("{apiVersion: isek.io/v1alpha1, kind: IsekAgent, metadata: {name: a}}", "IsekAgent a: spec: is required"),
        (
            (AGENT % "a").replace("name: a", "name: a, namespace: ../up"),
            "IsekAgent a: metadata.namespace: must be a DNS",
        ),
        (
            "{apiVersion: isek.io/v1alpha1, kind: IsekNode, metadata: {name: a}, spec: {replica: 1}}",
            "IsekNode a: spec.replica: no such field",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file_and_field(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse(text, source="x.yaml")

    assert str(error.value).startswith("x.yaml")
    assert complaint in str(error.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "{apiVersion: isek.io/v1alpha1, kind: IsekNode, metadata: {name: A}, spec: {x: 1}}"
    )
    (tmp_path / "b.yaml").write_text("a: [")

    with pytest.raises(DocumentError) as error:
        load([tmp_path])

    assert str(error.value).count("\n") == 2


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no such file or folder"):
        load([tmp_path / "missing"])


def test_a_folder_without_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"holds neither \.yaml nor \.py files"):
        load([tmp_path])
