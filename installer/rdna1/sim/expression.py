"""Conditions over a case: a subset of Python that cannot reach anything else.

An expression is parsed by ``ast`` and translated node by node; what has no translation here is
refused with its position. Types are checked while translating and numbers are exact, so an
expression that was accepted has a value for every case. simpleeval reads a condition when it meets
it: a misspelt name behind ``and`` would be found by the first large case, in a worker.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Literal, NamedTuple

Kind = Literal["number", "text", "truth", "env"]
Names = Mapping[str, Any]

# The attributes of a case; ``workspace`` is the im2col buffer in bytes.
NAMES: dict[str, Kind] = {
    **dict.fromkeys(
        ("n", "c_in", "c_out", "h", "w", "kh", "kw", "stride", "padding", "dilation", "groups"),
        "number",
    ),
    **dict.fromkeys(("dims", "depth", "kd", "output_padding", "workspace"), "number"),
    "dtype": "text",
    "direction": "text",
    "memory_format": "text",
    "transposed": "truth",
    "env": "env",
}

# Long enough for any condition; keeps products of numbers small and nesting shallow.
MAX_LENGTH = 500

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: Fraction(left) / right,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_MEMBERSHIP = (ast.In, ast.NotIn)
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs}


class ExpressionError(ValueError):
    """An expression that is refused; the message starts with the position, from 1."""


class _Term(NamedTuple):
    """A translated node: the type of its value, and how to get the value."""

    kind: Kind
    value: Callable[[Names], Any]


class Expression:
    """A condition that was found safe.

    Numbers, texts, ``True`` and ``False``; the names of `NAMES`; ``+ - * / // %``, divisors being
    numbers other than 0; comparisons, chained or not; ``in`` over a tuple or list; ``and or
    not``; ``min max abs``; ``env["NAME"]``, empty when the variable is not set, and
    ``"NAME" in env``.

    Args:
        text: the expression.

    Raises:
        ExpressionError: it is not in this subset of Python.
    """

    def __init__(self, text: str) -> None:
        """Translate ``text``."""
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"position {MAX_LENGTH + 1}: longer than {MAX_LENGTH} characters")
        # Around and inside a condition in YAML, line breaks are only white space.
        self._line = text.strip().replace("\n", " ")
        try:
            self._truth = self._condition(self._parse())
        except RecursionError as error:
            raise ExpressionError("position 1: nested too deeply") from error

    def __call__(self, names: Names) -> bool:
        """Say whether the condition holds; ``names`` has a value for each of `NAMES`."""
        return self._truth(names)

    def _parse(self) -> ast.expr:
        try:
            return ast.parse(self._line, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(f"position {max(error.offset or 1, 1)}: {error.msg}") from error
        except (ValueError, MemoryError) as error:
            # A null character; nesting too deep for Python's own parser.
            raise ExpressionError(f"position 1: not an expression: {error}") from error

    def _refusal(self, node: ast.expr, message: str) -> ExpressionError:
        """Return the error for a node; ``ast`` counts bytes, users count characters."""
        before = self._line.encode()[: node.col_offset].decode(errors="replace")
        return ExpressionError(f"position {len(before) + 1}: {message}")

    def _term(self, node: ast.expr) -> _Term:
        """Translate a node of any kind."""
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node)
        if isinstance(node, ast.BoolOp):
            return self._boolean(node)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Subscript):
            return self._variable(node)
        raise self._refusal(node, f"{_english(node)} is not allowed")

    def _of_kind(self, node: ast.expr, kind: Kind) -> Callable[[Names], Any]:
        term = self._term(node)
        if term.kind != kind:
            raise self._refusal(node, f"{kind} needed here, found {term.kind}")
        return term.value

    def _constant(self, node: ast.Constant) -> _Term:
        value = node.value
        if isinstance(value, bool):
            return _Term("truth", lambda _: value)
        if isinstance(value, str):
            return _Term("text", lambda _: value)
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            number = Fraction(value)
            return _Term("number", lambda _: number)
        raise self._refusal(node, f"{ast.unparse(node)} is not allowed")

    def _name(self, node: ast.Name) -> _Term:
        name = node.id
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(NAMES)}"
            raise self._refusal(node, f"unknown name {name}; {hint}")
        return _Term(NAMES[name], lambda names: names[name])

    def _unary(self, node: ast.UnaryOp) -> _Term:
        if isinstance(node.op, ast.Not):
            condition = self._condition(node.operand)
            return _Term("truth", lambda names: not condition(names))
        number = self._of_kind(node.operand, "number")
        if isinstance(node.op, ast.USub):
            return _Term("number", lambda names: -number(names))
        if isinstance(node.op, ast.UAdd):
            return _Term("number", number)
        raise self._refusal(node, "the operator ~ is not allowed")

    def _arithmetic(self, node: ast.BinOp) -> _Term:
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self._refusal(node, f"the operator in {ast.unparse(node)} is not allowed")
        left = self._of_kind(node.left, "number")
        right = self._of_kind(node.right, "number")
        varies = any(isinstance(part, ast.Name) for part in ast.walk(node.right))
        if isinstance(node.op, _DIVISIONS) and (varies or right({}) == 0):
            raise self._refusal(node.right, "a divisor must be a number other than 0")
        return _Term("number", lambda names: function(left(names), right(names)))

    def _condition(self, node: ast.expr) -> Callable[[Names], bool]:
        """Return a node used for its truth: Python's rules, so 0 and the empty text are false."""
        term = self._term(node)
        if term.kind == "env":
            raise self._refusal(node, 'write env["NAME"] or "NAME" in env')
        return lambda names: bool(term.value(names))

    def _boolean(self, node: ast.BoolOp) -> _Term:
        conditions = [self._condition(value) for value in node.values]
        combine = all if isinstance(node.op, ast.And) else any
        return _Term("truth", lambda names: combine(c(names) for c in conditions))

    def _comparison(self, node: ast.Compare) -> _Term:
        operands = [node.left, *node.comparators]
        links = [
            self._link(left, op, right)
            for left, op, right in zip(operands, node.ops, node.comparators, strict=False)
        ]
        return _Term("truth", lambda names: all(link(names) for link in links))

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Callable[[Names], bool]:
        """Return one comparison of a chain."""
        first = self._term(left)
        function = _COMPARISONS.get(type(op))
        unordered = first.kind == "truth" and isinstance(op, _ORDER)
        if function is None or unordered or first.kind == "env":
            raise self._refusal(left, "this comparison is not allowed")
        if isinstance(op, _MEMBERSHIP):
            second = self._container(right, first.kind)
        else:
            second = self._of_kind(right, first.kind)
        return lambda names: function(first.value(names), second(names))

    def _container(self, node: ast.expr, kind: Kind) -> Callable[[Names], Any]:
        """Return the right side of ``in``."""
        if isinstance(node, ast.Name) and node.id == "env" and kind == "text":
            return self._name(node).value
        if not isinstance(node, (ast.Tuple, ast.List)):
            raise self._refusal(node, "in needs a tuple, a list or env on its right")
        items = [self._of_kind(item, kind) for item in node.elts]
        return lambda names: [item(names) for item in items]

    def _call(self, node: ast.Call) -> _Term:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = _FUNCTIONS.get(name)
        if function is None:
            raise self._refusal(node, f"only {', '.join(_FUNCTIONS)} can be called")
        if node.keywords or (len(node.args) == 1) != (name == "abs"):
            needs = "one number" if name == "abs" else "two numbers or more"
            raise self._refusal(node, f"{name} takes {needs}")
        numbers = [self._of_kind(argument, "number") for argument in node.args]
        return _Term("number", lambda names: function(*(number(names) for number in numbers)))

    def _variable(self, node: ast.Subscript) -> _Term:
        """Return ``env["NAME"]``."""
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if not (isinstance(node.value, ast.Name) and node.value.id == "env"):
            raise self._refusal(node, "only env can be subscripted")
        if not isinstance(key, str):
            raise self._refusal(node.slice, "env needs a text in its brackets")
        return _Term("text", lambda names: names["env"].get(key, ""))


def _english(node: ast.expr) -> str:
    """Return what a refused node is called: ``Attribute`` becomes ``an attribute``."""
    words = {"IfExp": "a conditional", "JoinedStr": "an f-string", "NamedExpr": "an assignment"}
    name = type(node).__name__
    return words.get(name, f"{'an' if name[0] in 'AEIOU' else 'a'} {name.lower()}")
