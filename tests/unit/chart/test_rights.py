"""What the chart lets the operator do, and where."""

import itertools

import pytest
from isek_operator.kinds import CHILD_KINDS, CUSTOM_KINDS, EVENT, NAMESPACE, SECRET

from tests.support.chart import Manifest, render

OPERATOR = "isek-operator"
CHILD_VERBS = {"get", "list", "watch", "create", "patch", "delete"}
IN_NAMESPACES = "watchNamespaces={press,lab}"
NOTHING_FOR_PEOPLE = "rbac.aggregate=false"
NO_CRDS = "crds.install=false"


def rendered(kind: str, *values: str) -> list[Manifest]:
    return [manifest for manifest in render(*values) if manifest["kind"] == kind]


def operators(kind: str, *values: str) -> list[Manifest]:
    """The roles, or bindings, that its work needs, without that of its Lease."""
    return [each for each in rendered(kind, *values) if each["metadata"]["name"] == OPERATOR]


def allowed(role: Manifest) -> dict[tuple[str, str], set[str]]:
    """Group and resource to verbs."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        assert "resourceNames" not in rule
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"]):
            found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


@pytest.mark.parametrize("values", [(), (IN_NAMESPACES,)], ids=["everywhere", "in namespaces"])
def test_no_rule_holds_a_wildcard_or_lets_the_operator_hand_out_rights(values: tuple[str, ...]) -> None:
    roles = [*rendered("ClusterRole", *values), *rendered("Role", *values)]
    granted = [item for role in roles for rule in role["rules"] for items in rule.values() for item in items]

    assert roles
    assert not [item for item in granted if "*" in item]
    assert not {"bind", "escalate", "impersonate"} & set(granted)
    assert not {"pods/exec", "roles", "rolebindings", "clusterroles", "clusterrolebindings"} & set(granted)


def test_the_operator_may_do_with_each_kind_what_it_does_and_no_more() -> None:
    (role,) = operators("ClusterRole")
    custom = {(kind.group, kind.plural): {"list", "watch"} for kind in CUSTOM_KINDS}
    custom["isek.io", "isekmeshes"] |= {"get", "create", "patch", "delete"}

    assert allowed(role) == {
        **custom,
        **{(kind.group, f"{kind.plural}/status"): {"patch"} for kind in CUSTOM_KINDS},
        **{(kind.group, f"{kind.plural}/finalizers"): {"update"} for kind in CUSTOM_KINDS},
        **{(kind.group, kind.plural): CHILD_VERBS for kind in (*CHILD_KINDS, SECRET)},
        ("", "pods"): {"list", "watch", "delete"},
        (NAMESPACE.group, NAMESPACE.plural): {"list", "watch"},
        (EVENT.group, EVENT.plural): {"create", "patch"},
    }


def test_in_namespaces_the_operator_may_do_the_same_but_look_at_namespaces() -> None:
    (everywhere,) = operators("ClusterRole")
    in_each = operators("Role", IN_NAMESPACES)
    rights = allowed(everywhere)
    del rights[NAMESPACE.group, NAMESPACE.plural]

    assert {role["metadata"]["namespace"] for role in in_each} == {"press", "lab"}
    assert all(allowed(role) == rights for role in in_each)


def test_with_namespaces_named_nothing_is_granted_outside_of_them() -> None:
    manifests = render(IN_NAMESPACES, NOTHING_FOR_PEOPLE, NO_CRDS)
    bindings = operators("RoleBinding", IN_NAMESPACES)

    assert all("namespace" in manifest["metadata"] for manifest in manifests)
    assert {binding["metadata"]["namespace"] for binding in bindings} == {"press", "lab"}
    assert {binding["roleRef"]["kind"] for binding in bindings} == {"Role"}
    assert {role["metadata"]["name"].rpartition("-")[2] for role in rendered("ClusterRole", IN_NAMESPACES)} == {
        "view",
        "edit",
    }
    assert rendered("ClusterRoleBinding", IN_NAMESPACES) == []


def test_without_namespaces_named_it_works_in_all() -> None:
    (binding,) = operators("ClusterRoleBinding")
    (account,) = rendered("ServiceAccount")

    assert binding["roleRef"]["name"] == OPERATOR
    assert [subject["name"] for subject in binding["subjects"]] == [account["metadata"]["name"]]
    assert operators("Role") == []


def test_what_users_may_do_with_the_kinds_is_added_to_view_edit_and_admin() -> None:
    def verbs(role: str) -> set[str]:
        label = f"rbac.authorization.k8s.io/aggregate-to-{role}"
        return {
            verb
            for found in rendered("ClusterRole")
            if found["metadata"]["labels"].get(label) == "true"
            for rule in found["rules"]
            for verb in rule["verbs"]
        }

    assert verbs("view") == {"get", "list", "watch"}
    assert verbs("edit") == verbs("admin") > {"create", "update", "patch", "delete"}
    assert [role["metadata"]["name"] for role in rendered("ClusterRole", NOTHING_FOR_PEOPLE)] == [OPERATOR]
