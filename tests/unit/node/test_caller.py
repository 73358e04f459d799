import time
from pathlib import Path

import pytest
from isek.asking import IdempotencyKey
from isek.errors import CallError
from isek.node.caller import SharedToken, call_context
from starlette.datastructures import Headers

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOBODY = SharedToken(None)


@pytest.fixture
def token(tmp_path: Path) -> SharedToken:
    (tmp_path / "token").write_text("secret\n")
    return SharedToken(tmp_path / "token")


def test_time_depth_and_trace_come_from_the_headers() -> None:
    headers = Headers({"Isek-Timeout-Ms": "1500", "Isek-Call-Depth": "3", "traceparent": TRACEPARENT})

    context, path = call_context(headers, NOBODY)

    assert 1 < context.remaining_seconds() <= 1.5
    assert (context.depth, context.peer_id, path) == (3, None, "http")
    assert context.traceparent is not None
    assert context.traceparent.startswith(TRACEPARENT[:36])
    assert context.traceparent != TRACEPARENT  # a span of its own


def test_a_call_without_a_trace_begins_one() -> None:
    first, second = (call_context(Headers({}), NOBODY)[0].traceparent for _ in range(2))

    assert first is not None
    assert first != second


def test_a_call_without_a_deadline_has_all_the_time() -> None:
    assert call_context(Headers({}), NOBODY)[0].deadline > time.monotonic() + 10**9


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "9" * 16, "\u0661"])
def test_a_header_that_is_no_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(CallError, match="InvalidRequest: header Isek-Timeout-Ms must be a whole number"):
        call_context(Headers(raw=[(b"isek-timeout-ms", value.encode())]), NOBODY)


def test_a_call_too_deep_is_refused() -> None:
    with pytest.raises(CallError, match="CallDepthExceeded"):
        call_context(Headers({"Isek-Call-Depth": "17"}), NOBODY)


def test_a_peer_is_believed_beside_the_token(token: SharedToken) -> None:
    context, path = call_context(Headers({"Isek-Peer-Id": "12D3", "Isek-Token": "secret"}), token)

    assert (context.peer_id, path) == ("12D3", "libp2p")


@pytest.mark.parametrize("shown", [{}, {"Isek-Token": ""}, {"Isek-Token": "wrong"}, {"Isek-Token": "secret2"}])
def test_a_peer_without_the_right_token_is_passed_over(token: SharedToken, shown: dict[str, str]) -> None:
    context, path = call_context(Headers({"Isek-Peer-Id": "12D3", **shown}), token)

    assert (context.peer_id, path) == (None, "http")


@pytest.mark.parametrize("shown", ["", "secret"])
def test_a_node_without_a_sidecar_believes_nobody(shown: str) -> None:
    context, _ = call_context(Headers({"Isek-Peer-Id": "12D3", "Isek-Token": shown}), NOBODY)

    assert context.peer_id is None


def test_a_token_that_the_sidecar_makes_later_is_found(tmp_path: Path) -> None:
    late, headers = SharedToken(tmp_path / "token"), Headers({"Isek-Token": "secret"})

    assert not late.stands_in(headers)
    (tmp_path / "token").write_text("")
    assert not late.stands_in(Headers({"Isek-Token": ""}))
    (tmp_path / "token").write_text("secret")
    assert late.stands_in(headers)


def test_the_key_of_a_call_that_may_be_told_again_comes_from_the_headers() -> None:
    first, _ = call_context(Headers({"Idempotency-Key": "k1"}), NOBODY)
    again, _ = call_context(Headers({"Idempotency-Key": "k1", "Isek-Tried-Ms": "1500"}), NOBODY)

    assert first.idempotency_key == IdempotencyKey("k1")
    assert again.idempotency_key == IdempotencyKey("k1", 1.5)
    assert again.deeper("writer.default").idempotency_key is None


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(CallError, match="Idempotency-Key must be 1 to 255"):
        call_context(Headers({"Idempotency-Key": key}), NOBODY)
