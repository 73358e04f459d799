"""Whatever others send, it is read or refused; nothing else comes of it."""

import json
from contextlib import suppress
from random import Random

import pytest
from a2a.types import SendMessageRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isek.errors import IsekError
from isek.protocol.a2a_grpc import all_finite

from tests.support.mutation import BROKEN, mutated
from tests.support.parsers import CHAT, MESSAGE, OLD_MESSAGE, PARSERS, RESPONSES, Parser

parsers = pytest.mark.parametrize("parser", PARSERS.values(), ids=list(PARSERS))


def test_what_is_right_is_read() -> None:
    for name in PARSERS.keys() - {"failure"}:
        for seed in PARSERS[name].seeds:
            PARSERS[name].read(seed)


@parsers
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(which=st.integers(min_value=0), random=st.randoms(use_true_random=True))
def test_what_is_nearly_right_is_read_or_refused(parser: Parser, which: int, random: Random) -> None:
    with suppress(*parser.refusals):
        parser.read(mutated(parser.seeds[which % len(parser.seeds)], random))


@parsers
@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:6]))
def test_what_is_nothing_like_it_is_read_or_refused(parser: Parser, body: bytes) -> None:
    with suppress(*parser.refusals):
        parser.read(body)


MANY = [0] * 20_000


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("plain form", {"message": MANY}),
        ("chat", {"model": "a", "messages": MANY}),
        ("chat", {"model": "a", "messages": [{"role": "user", "content": MANY}]}),
        ("chat", {"model": "a", "messages": [{"role": "a" * 20_000}]}),
        ("chat", CHAT | {"tools": MANY}),
        ("responses", {"model": "a", "input": MANY}),
        ("responses", {"model": "a", "input": [{"role": "user", "content": MANY}]}),
        ("responses", RESPONSES | {"metadata": {str(each): 0 for each in range(20_000)}}),
        ("messages handed over", {"messages": MANY}),
        ("messages of the past", {"messages": MANY}),
        ("bids", {"bids": MANY}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value)[:40],
)
def test_many_mistakes_are_told_in_few_words(name: str, body: object) -> None:
    """Else what is told of them is many times as long as the body, and takes as long to make."""
    with pytest.raises(PARSERS[name].refusals) as told:
        PARSERS[name].read(json.dumps(body).encode())

    assert len(str(told.value)) < 20_000


@pytest.mark.parametrize("number", [b"1e999", b"-1E+400", b"9" * 400, b"NaN", b"-Infinity"])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("chat", CHAT),
        ("responses", RESPONSES),
        ("A2A as JSON", {"message": MESSAGE}),
        (
            "A2A 0.3",
            {"id": 1, "jsonrpc": "2.0", "method": "message/send", "params": {"message": OLD_MESSAGE}},
        ),
    ],
)
def test_numbers_that_json_cannot_say_again_are_refused(name: str, body: object, number: bytes) -> None:
    with pytest.raises(IsekError, match=r"a number in the body|is not JSON"):
        PARSERS[name].read(json.dumps(body).replace("0.5", number.decode()).encode())


def test_numbers_that_json_has_no_form_for_are_seen_in_messages_of_grpc() -> None:
    request = SendMessageRequest()
    request.message.parts.add().data.struct_value.update({"a": [{"b": 0.5}]})
    assert all_finite(request)

    request.message.metadata.update({"a": [{"b": float("nan")}]})

    assert not all_finite(request)
