"""The file that private network keys stand in."""

import pytest
from isek.processes.network_key import MAX_KEYS, fingerprints, new_private_network_key

KEYS = [new_private_network_key() for _ in range(MAX_KEYS + 1)]


def test_each_key_has_a_fingerprint_of_its_own_in_the_order_of_the_file() -> None:
    first, second = fingerprints(KEYS[0] + KEYS[1])

    assert fingerprints(KEYS[0]) == (first,)
    assert fingerprints(KEYS[1] + KEYS[0]) == (second, first)


def test_a_fingerprint_is_no_part_of_the_key() -> None:
    (found,) = fingerprints(KEYS[0])

    assert found not in KEYS[0]


def test_how_lines_end_and_how_digits_are_written_makes_no_difference() -> None:
    assert fingerprints(
        KEYS[0].replace("\n", "\r\n").upper().replace("KEY/SWARM/PSK", "key/swarm/psk").replace("BASE", "base")
    ) == (fingerprints(KEYS[0]))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "x",
        "x" + KEYS[0],
        KEYS[0] + "x",
        KEYS[0] * 2,
        KEYS[0][:-2],
        KEYS[0].replace("16", "64"),
        "".join(KEYS),
    ],
    ids=["empty", "blank", "a word", "before", "after", "twice", "short", "base64", "too many"],
)
def test_another_form_has_none(content: str) -> None:
    assert fingerprints(content) == ()


def test_as_many_as_may_be_accepted_at_once_are_read() -> None:
    assert len(fingerprints("".join(KEYS[:MAX_KEYS]))) == MAX_KEYS
