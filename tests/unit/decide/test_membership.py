"""What the operator writes down about the members of an etcd."""

import pytest
from isek_operator.decide.etcd.membership import MEMBERSHIP, Admission, Member, Membership


def test_a_membership_is_read_as_it_was_written() -> None:
    membership = Membership("uid-1", (Member("", Admission.JOINED), Member("8e9e05c52164694d", Admission.NEW)))

    config_map = {"metadata": {"annotations": {MEMBERSHIP: membership.to_annotation()}}}

    assert Membership.of(config_map) == membership


def test_no_config_map_and_one_of_somebody_else_say_nothing() -> None:
    assert Membership.of(None) is None
    assert Membership.of({"metadata": {"name": "default-etcd"}}) is None


@pytest.mark.parametrize("written", ["", "{}", "[]", '{"token": "uid-1", "members": [{"id": "", "admission": "Odd"}]}'])
def test_what_somebody_has_edited_into_no_record_says_nothing_so_that_the_other_copy_counts(written: str) -> None:
    assert Membership.of({"metadata": {"annotations": {MEMBERSHIP: written}}}) is None


def test_a_cluster_begins_with_one_new_member() -> None:
    assert Membership.first("uid-1").members == (Member("", Admission.NEW),)
