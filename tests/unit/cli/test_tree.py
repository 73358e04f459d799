from isek.cli.meshes import Hosted, asked_by
from isek.cli.tree import branch, roots


def hosted(name: str, *asks: str) -> Hosted:
    return Hosted(f"{name}.news", "IsekAgent", tuple(f"{each}.news" for each in asks), (), "1/1")


def names(found: list[Hosted]) -> list[str]:
    return [each.address.partition(".")[0] for each in found]


def test_the_tree_begins_with_those_whom_nobody_asks() -> None:
    assert names(roots([hosted("editor", "writer"), hosted("loner"), hosted("writer")])) == ["editor", "loner"]


def test_of_a_circle_the_first_begins_and_the_way_back_ends_it() -> None:
    circle = [hosted("a", "b"), hosted("b", "a")]

    [top] = roots(circle)
    drawn = branch(top, {each.address: each for each in circle}, ())

    assert (drawn["address"], drawn["asks"][0]["address"]) == ("a.news", "b.news")
    assert drawn["asks"][0]["asks"][0]["loops"]


def test_who_is_asked_and_does_not_exist_is_named() -> None:
    editor = hosted("editor", "ghost")

    assert branch(editor, {editor.address: editor}, ())["asks"][0]["ready"] == "not there"


def test_members_and_tools_are_asked_also_in_other_namespaces() -> None:
    team = {"spec": {"members": [{"agent": {"name": "a"}}, {"team": {"name": "b", "namespace": "lab"}}]}}
    agent = {"spec": {"tools": [{"builtin": "calculator"}, {"agent": {"name": "c"}}]}}

    assert (asked_by(team, "news"), asked_by(agent, "news")) == (("a.news", "b.lab"), ("c.news",))
