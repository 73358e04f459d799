"""What the operator writes down about the members of an etcd."""

from isek_operator.decide.etcd.membership import MEMBERSHIP, Admission, Member, Membership


def test_a_membership_is_read_as_it_was_written() -> None:
    membership = Membership("uid-1", (Member("", Admission.JOINED), Member("8e9e05c52164694d", Admission.NEW)))

    config_map = {"metadata": {"annotations": {MEMBERSHIP: membership.to_annotation()}}}

    assert Membership.of(config_map) == membership


def test_no_config_map_and_one_of_somebody_else_say_nothing() -> None:
    assert Membership.of(None) is None
    assert Membership.of({"metadata": {"name": "default-etcd"}}) is None


def test_a_cluster_begins_with_one_new_member() -> None:
    assert Membership.first("uid-1").members == (Member("", Admission.NEW),)
