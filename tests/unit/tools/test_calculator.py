from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from isek.tools.base import ToolError
from isek.tools.calculator import FUNCTIONS, MAX_DIGITS, MAX_EXPRESSION_LENGTH, Calculator, calculate

from tests.support.asking import context


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("6 * 7", "42"),
        ("(2 + 3) * 4 - -1", "21"),
        ("7 / 2", "3.5"),
        ("7 // 2", "3"),
        ("-7 % 3", "2"),
        ("2 ** 10", "1024"),
        ("2 ** -1", "0.5"),
        ("4 ** 0.5", "2.0"),
        ("(-2) ** 2.0", "4.0"),
        ("(-1) ** 99999999999", "-1"),
        ("sqrt(16) + abs(-3)", "7.0"),
        ("max(1, 2, 3) + min(4, 5)", "7"),
        ("round(2.7182, 2)", "2.72"),
        ("round(pi)", "3"),
        ("round(1250, -2)", "1200"),
        ("round(7, 0 - 10 ** 9)", "0"),
        ("round(2.5, 10 ** 999)", "2.5"),
        ("  1 + 1 ", "2"),
        ("10 ** 30 + 1", "1000000000000000000000000000001"),
    ],
)
def test_arithmetic_is_worked_out(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "cannot be worked out"),
        ("1 +", "cannot be worked out: invalid syntax"),
        ("1 / 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("9 ** 9 ** 9", "is too large"),
        ("10 ** 999 * 10 ** 999", "is too large"),
        ("exp(1000)", "is too large"),
        ("1e308 * 10", "is too large"),
        ("10 ** 400 / 3.0", "is too large"),
        ("(-8) ** 0.5", "a root of a negative number"),
        ("sqrt(-1)", "cannot be worked out"),
        ("True + 1", "are no numbers"),
        ("'a' * 9", "is no arithmetic"),
        ("__import__('os')", "is no arithmetic"),
        ("().__class__", "is no arithmetic"),
        ("x + 1", "'x' is no arithmetic"),
        ("[1, 2]", "is no arithmetic"),
        ("round(1.5, ndigits=0)", "is no arithmetic"),
        ("sqrt()", "cannot be worked out"),
        ("max(1)", "cannot be worked out"),
        ("1 if 1 else 2", "is no arithmetic"),
        ("1" * 501, "has 501 characters; 500 are allowed"),
        ("(" * 245 + "1" + ")" * 245, "cannot be worked out"),
        ("1\x00", "cannot be worked out"),
    ],
)
def test_anything_else_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(ToolError) as refused:
        calculate(expression)

    assert reason in str(refused.value)


NUMBERS = st.sampled_from(
    ["0", "1", "7", "0.5", "1e308", "1e-308", "10**9", "10**999", "9" * 40, "0x" + "f" * 40, "pi"]
)
FORMS = st.sampled_from([f"({{}}{sign}{{}})" for sign in ("+", "-", "*", "/", "//", "%", "**", "<<")] + ["-{}"])
CALLS = st.sampled_from([f"{name}({places})" for name in FUNCTIONS for places in ("{}", "{}, {}", "{}, -{}")])


@st.composite
def larger(draw: st.DrawFn, smaller: st.SearchStrategy[str]) -> str:
    return draw(FORMS | CALLS).format(draw(smaller), draw(smaller))


@pytest.mark.timeout(60)
@given(st.recursive(NUMBERS, larger, max_leaves=12))
@example("round(7, 0-10000000)")
@example("round(7, -10**999)")
@example("1 ** 10**999 + (-1) ** 10**999 + 0 ** 10**999")
@example("2 ** -10**300")
@example("-" * (MAX_EXPRESSION_LENGTH - 1) + "1")
@example("2**9**" * 80 + "9")
@example("max(" + "9," * 240 + "9)")
def test_whatever_is_asked_ends_soon_and_its_value_is_bounded(expression: str) -> None:
    with suppress(ToolError):
        assert len(calculate(expression)) <= MAX_DIGITS + len("-")


@pytest.mark.parametrize("arguments", [{}, {"expression": 1}, {"expression": "1", "more": 2}, {"formula": "1"}])
async def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ToolError, match="'expression'"):
        await Calculator().call(arguments, context())
