"""Quantities as the API server writes them, so that what it stores equals what was wished for."""

import re
from decimal import Decimal
from typing import Any

_PATTERN = re.compile(r"^(?P<number>[+-]?[0-9]*\.?[0-9]*)(?P<suffix>[KMGTPE]i|[numkMGTPE]?)$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def canonical_quantity(text: str) -> str:
    """``text`` in canonical form: an integer and the largest suffix that needs no fraction.

    What is no quantity, or has a decimal exponent, is given back as it is: the API server judges it.
    Source: k8s.io/apimachinery/pkg/api/resource, Quantity.
    """
    match = _match(text)
    if match is None:
        return text
    value = _value(match)
    if match["suffix"] in _BINARY and abs(value) >= 1024:
        return _binary(_rounded_up(value))
    return _decimal(value)


def is_larger(one: str, other: str) -> bool:
    """Whether the first of two quantities is the larger one; not, where one of them is none."""
    first, second = _match(one), _match(other)
    return first is not None and second is not None and _value(first) > _value(second)


def canonical_resources(resources: dict[str, Any]) -> dict[str, Any]:
    """core/v1 ResourceRequirements with canonical quantities."""
    return {
        name: {key: canonical_quantity(str(quantity)) for key, quantity in value.items()}
        if name in {"limits", "requests"} and isinstance(value, dict)
        else value
        for name, value in resources.items()
    }


def _match(text: str) -> re.Match[str] | None:
    match = _PATTERN.match(text)
    return match if match and any(character.isdigit() for character in match["number"]) else None


def _value(match: re.Match[str]) -> Decimal:
    number, suffix = Decimal(match["number"]), match["suffix"]
    return number * 1024 ** _BINARY[suffix] if suffix in _BINARY else number.scaleb(_DECIMAL[suffix])


def _binary(value: int) -> str:
    suffix = ""
    for candidate in _BINARY:
        if value == 0 or value % 1024:
            break
        value, suffix = value // 1024, candidate
    return f"{value}{suffix}"


def _decimal(value: Decimal) -> str:
    nanos = _rounded_up(value.scaleb(9))
    suffixes = list(_DECIMAL)
    if nanos == 0:
        return "0"
    while nanos % 1000 == 0 and len(suffixes) > 1:
        nanos //= 1000
        suffixes.pop(0)
    return f"{nanos}{suffixes[0]}"


def _rounded_up(value: Decimal) -> int:
    """To the next integer away from zero."""
    floor = int(value)
    return floor if floor == value else floor + (1 if value > 0 else -1)
