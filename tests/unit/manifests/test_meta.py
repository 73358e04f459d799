from isek_operator.manifests.meta import child_meta, selector_text, workload_name

from tests.unit.manifests.samples import agent, mesh, node, parsed, team


def test_a_child_names_its_owner_and_goes_with_it() -> None:
    meta = child_meta(parsed(agent()), "researcher-agent")

    assert meta["ownerReferences"] == [
        {
            "apiVersion": "isek.io/v1alpha1",
            "kind": "IsekAgent",
            "name": "researcher",
            "uid": "uid-of-IsekAgent-researcher",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_a_child_carries_our_labels_and_none_of_its_owner() -> None:
    owner = agent()
    owner["metadata"]["labels"] = {"argocd.argoproj.io/instance": "newsroom"}

    assert child_meta(parsed(owner), "researcher-agent")["labels"] == {
        "app.kubernetes.io/managed-by": "isek-operator",
        "app.kubernetes.io/name": "isek-agent",
        "isek.io/agent": "researcher",
    }


def test_kinds_of_one_name_have_objects_of_different_names() -> None:
    owners = [agent("x"), team("x", {"agent": {"name": "y"}}), node("x")]

    assert [workload_name(parsed(owner)) for owner in owners] == ["x-agent", "x-team", "x-node"]
    assert selector_text(parsed(mesh("x"))) == "isek.io/mesh=x"


def test_the_longest_name_leaves_room_for_the_names_of_pods() -> None:
    longest = workload_name(parsed(agent("a" * 40)))

    assert len(f"{longest}-0123456789-abcde") <= 63
