"""What is said to those whose plain request is wrong."""

from typing import Any

import pytest
from isek.errors import CallError
from isek.node.caller import SharedToken, call_context
from isek.node.plain import read_plain_request
from starlette.datastructures import Headers


def test_only_the_message_is_asked_for() -> None:
    with pytest.raises(CallError, match="message: is required") as refused:
        read_plain_request({"mesage": "hello"})

    assert (refused.value.status, "sender_node_id" in refused.value.hint) == (400, False)


@pytest.mark.parametrize(("said", "meant"), [("sessionId", "session_id"), ("userId", "user_id")])
def test_a_field_of_other_forms_is_not_passed_over(said: str, meant: str) -> None:
    body: dict[str, Any] = {"message": "hello", said: "monday"}
    with pytest.raises(CallError, match=f"{said}: no such field") as refused:
        read_plain_request(body)

    assert refused.value.hint == f"say {meant}"
    assert read_plain_request({"message": "hello", meant: "monday", "more": 1}).message == "hello"


def test_nothing_runs_for_who_leaves_no_time() -> None:
    with pytest.raises(CallError, match="DeadlineExceeded") as refused:
        call_context(Headers({"Isek-Timeout-Ms": "0"}), SharedToken(None))

    assert refused.value.status == 504
