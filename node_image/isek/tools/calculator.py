"""Arithmetic for models, which are bad at it."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument

MAX_EXPRESSION_LENGTH = 500
MAX_DIGITS = 1000
"""Of a result, and of anything on the way to it."""
MAX_MAGNITUDE = 10**MAX_DIGITS

Number = int | float


class Calculator(Tool):
    """Works out an arithmetic expression. Nothing is executed: the expression's syntax tree is walked."""

    schema = ToolSchema(
        name="calculator",
        description="Works out an arithmetic expression, such as (2 + 3) * 4 ** 0.5 or sqrt(2). "
        f"Operators: + - * / // % **. Functions: {', '.join(('abs', 'round', 'min', 'max', 'sqrt', 'log', 'exp'))}, "
        "sin, cos, tan. Constants: pi, e.",
        parameters={
            "type": "object",
            "properties": {"expression": {"type": "string", "maxLength": MAX_EXPRESSION_LENGTH}},
            "required": ["expression"],
            "additionalProperties": False,
        },
    )

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The value of ``expression``, as text."""
        return calculate(text_argument(arguments, "expression"))


def calculate(expression: str) -> str:
    """The value of an arithmetic expression; whole numbers are exact.

    Raises:
        ToolError: it is no arithmetic, divides by zero, or is too large.
    """
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise ToolError(f"the expression has {len(expression)} characters; {MAX_EXPRESSION_LENGTH} are allowed")
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ToolError(f"{expression!r} cannot be worked out: {reason}") from None
    except ZeroDivisionError:
        raise ToolError(f"{expression!r} divides by zero") from None
    except OverflowError:
        raise ToolError(f"{expression!r} is too large") from None
    except TypeError as error:
        raise ToolError(f"{expression!r} cannot be worked out: {error}") from None
    return str(value)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1:
        if exponent * math.log10(abs(base)) > MAX_DIGITS:
            raise OverflowError
    elif base < 0 and exponent != int(exponent):
        raise ValueError("a root of a negative number is no real number")
    result: Number = base**exponent
    return result


def _rounded(number: Number, digits: Number = 0) -> Number:
    if not digits:
        return round(number)
    # rounding a whole number works out 10 ** -digits, however large
    return round(number, max(-MAX_DIGITS, min(int(digits), MAX_DIGITS)))


OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
SIGNS: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    "abs": abs,
    "round": _rounded,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
}
CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e}


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            raise ValueError("True and False are no numbers")
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _bounded(OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _bounded(FUNCTIONS[name](*(_value(argument) for argument in arguments)))
    raise ValueError(f"{ast.unparse(node)!r} is no arithmetic")


def _bounded(number: Number) -> Number:
    if isinstance(number, int) and abs(number) >= MAX_MAGNITUDE:
        raise OverflowError
    if isinstance(number, float) and not math.isfinite(number):
        raise OverflowError
    return number
