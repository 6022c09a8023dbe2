"""A calculator: whole numbers exactly, others to ten digits."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable

from studio_core.environments.base import Environment, Tool, ToolError

Number = int | float

LONGEST = 200
"""Characters of an expression: Python's parser needs many times the memory, and its depth is bounded so, too."""
LARGEST = 10**30
"""Of every number on the way: beyond, one power of a power would compute for hours."""
_HIGHEST_POWER = 100

_ALLOWED = re.compile(r"[\d\s.+\-*/%()]+", re.ASCII)
"""Without letters there are no names, so that nothing but a number is ever parsed."""
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", "^": "**"})
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def calculate(expression: str) -> str:
    """The value of an expression of numbers, + - * / // % ** and brackets. Raises ``ToolError``."""
    if len(expression) > LONGEST:
        raise ToolError(f"an expression has at most {LONGEST} characters")
    plain = expression.translate(_SIGNS).strip()
    if not _ALLOWED.fullmatch(plain):
        raise ToolError("this is no expression of numbers")
    try:
        value = _value(ast.parse(plain, mode="eval").body)
    except ZeroDivisionError as error:
        raise ToolError("division by zero") from error
    except OverflowError as error:
        raise ToolError("the number is too large") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError("this is no expression of numbers") from error
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def _value(node: ast.expr) -> Number:
    """By its tree and never by ``eval``."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return _bounded(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=sign, right=right):
            return _bounded(_applied(sign, _value(left), _value(right)))
    raise ValueError


def _applied(sign: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(sign, ast.Div):
        whole = isinstance(left, int) and isinstance(right, int) and right != 0 and left % right == 0
        return left // right if whole else left / right
    if isinstance(sign, ast.Pow):
        if abs(right) > _HIGHEST_POWER:
            raise OverflowError
        power = left**right
        if isinstance(power, complex):
            raise ValueError
        return power
    if type(sign) not in _BINARY:
        raise ValueError
    return _BINARY[type(sign)](left, right)


def _bounded(value: Number) -> Number:
    if not abs(value) <= LARGEST:
        raise OverflowError
    return value


TOOL = Tool(
    name="calculator",
    description="Computes the value of an arithmetic expression.",
    parameter="expression",
    parameter_description="Numbers, + - * / ** and brackets, such as 12*(3+4)",
    run=calculate,
)
CALCULATOR = Environment("calculator", (TOOL,))
