"""Bytes that look like what a parser expects, and are not quite that."""

import json
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, -(2**64), 10**400, 0.5, 1e308, float("inf"), float("nan")),
    *("", " ", "\0", "\ud800", "é", "\u202e", "a" * 5_000, "0", "null", "{}", "..", "/", "-----", "\r\nX: y"),
    *([], {}, [[]], [None], {"": None}, {"__class__": "x"}, [0] * 2_000),
)
BROKEN = (b"", b"\0", b"\xff\xfe", b"null", b"[", b'"', b"NaN", b"1e999", b"-0", b"9" * 5_000, b"[" * 30_000)


def mutated(seed: bytes, random: Random) -> bytes:
    """What has become of ``seed`` by a few changes: as JSON where it is, else as bytes."""
    if random.random() < 0.02:
        return random.choice(BROKEN)
    try:
        value = json.loads(seed)
    except (ValueError, RecursionError):
        return _bytes_changed(seed, random)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        value = _changed(value, random)
    try:
        body = json.dumps(value).encode()
    except RecursionError:  # nested in what was nested already
        return seed
    if random.random() < 0.2:
        body = body.replace(b"0.5", random.choice((b"1e999", b"-1e999", b"0." + b"3" * 5_000)))
    return _bytes_changed(body, random) if random.random() < 0.1 else body


def _changed(value: Any, random: Random) -> Any:
    """A copy in which one place holds something else."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        chosen, changed = random.choice(list(value)), dict(value)
        kind = random.random()
        if kind < 0.1:
            del changed[chosen]
        elif kind < 0.15:
            changed[random.choice(("", "constructor", chosen.upper(), "x" * 300))] = changed.pop(chosen)
        else:
            changed[chosen] = _changed(value[chosen], random)
        return changed
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        kind = random.random()
        if kind < 0.1:
            return [*value[:place], *value[place + 1 :]]
        if kind < 0.2:
            return [*value, *value * random.choice((1, 20))]
        return [*value[:place], _changed(value[place], random), *value[place + 1 :]]
    if random.random() < 0.1:
        return _nested(value, random.choice((1, 50, 150, 250, 900)), random)
    return random.choice(ODD)


def _nested(value: Any, depth: int, random: Random) -> Any:
    in_objects = random.random() < 0.5
    for _ in range(depth):
        value = {"a": value} if in_objects else [value]
    return value


def _bytes_changed(body: bytes, random: Random) -> bytes:
    changed = bytearray(body)
    for _ in range(random.choice((1, 1, 2, 8))):
        place = random.randrange(len(changed) + 1)
        kind = random.random()
        if kind < 0.3:
            del changed[place : place + random.choice((1, 4, 50))]
        elif kind < 0.6:
            changed[place:place] = random.randbytes(random.choice((1, 2, 8)))
        elif kind < 0.8:
            changed[place:place] = random.choice(BROKEN)
        else:
            changed[place : place + 1] = bytes([random.randrange(256)])
    return bytes(changed)
