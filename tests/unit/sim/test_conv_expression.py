"""Conditions mean what Python says, and nothing dangerous is a condition."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rdna1.conv.case import ConvCase
from rdna1.sim.expression import MAX_LENGTH, NAMES, Expression, ExpressionError

VALUES: dict[str, Any] = {
    **{name: 3 for name, kind in NAMES.items() if kind == "number"},
    "h": 42,
    "w": 44,
    "workspace": 1115136,
    "dtype": "float32",
    "direction": "forward",
    "memory_format": "channels_last",
    "transposed": True,
    "env": {"MIOPEN_DEBUG_CONV_GEMM": "0"},
}


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("max(h,w) > 42", True),
        ("min(h, w, 40) >= 42", False),
        ("workspace > 1048576", True),
        ("workspace > 1024 * 1024 and dtype == 'float32'", True),
        ("workspace / (1024 * 1024) > 1.06", True),
        ("h % 2", False),
        ("h // 10 == 4", True),
        ("not (h == w)", True),
        ("40 <= h < 43", True),
        ("abs(h - w) == 2", True),
        ("-h < 0 or +h < 0", True),
        ("direction in ('forward', 'backward')", True),
        ("kh not in [1, 5]", True),
        ("env['MIOPEN_DEBUG_CONV_GEMM'] == '0'", True),
        ("transposed", True),
        ("transposed == False or output_padding > 3", False),
        ("dims == 3 and kd <= depth and memory_format != 'contiguous'", True),
        ("env['NOT_SET'] == ''", True),
        ("'NOT_SET' in env", False),
        ("True", True),
        (" h == 42\nand w == 44 ", True),
    ],
)
def test_allowed_expressions(text: str, truth: bool) -> None:
    assert Expression(text)(VALUES) is truth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('true')", "position 1: only min, max, abs can be called"),
        ("h > 1 and open('/etc/passwd')", "position 11: only min, max, abs can be called"),
        ("h.real > 1", "position 1: an attribute is not allowed"),
        ("env.get('A') == ''", "position 1: only min, max, abs can be called"),
        ("max(h, key=abs)", "position 1: max takes two numbers or more"),
        ("abs(h, w)", "position 1: abs takes one number"),
        ("max(*env, 1)", "position 5: a starred is not allowed"),
        ("hh > 1", "position 1: unknown name hh; did you mean h?"),
        ("zzz > 1", "position 1: unknown name zzz; known are n, c_in"),
        ("h > '1'", "position 5: number needed here, found text"),
        ("dtype + 'x' == ''", "position 1: number needed here, found text"),
        ("h is w", "position 1: this comparison is not allowed"),
        ("(h > 1) < (w > 1)", "position 2: this comparison is not allowed"),
        ("transposed > 0", "position 1: this comparison is not allowed"),
        ("transposed == 1", "position 15: truth needed here, found number"),
        ("h ** w > 1", "position 1: the operator in h ** w is not allowed"),
        ("~h", "position 1: the operator ~ is not allowed"),
        ("h / 0 > 1", "position 5: a divisor must be a number other than 0"),
        ("h % padding", "position 5: a divisor must be a number other than 0"),
        ("h // (1 - 1)", "position 7: a divisor must be a number other than 0"),
        ("h in 42", "position 6: in needs a tuple, a list or env on its right"),
        ("env", "position 1: write env"),
        ("env == env", "position 1: this comparison is not allowed"),
        ("env[dtype] == ''", "position 5: env needs a text in its brackets"),
        ("h[0] > 1", "position 1: only env can be subscripted"),
        ("h if w else n", "position 1: a conditional is not allowed"),
        ("f'{h}' == ''", "position 1: an f-string is not allowed"),
        ("(x := 3) > 1", "position 2: an assignment is not allowed"),
        ("lambda: h", "position 1: a lambda is not allowed"),
        ("[x for x in (1,)]", "position 1: a listcomp is not allowed"),
        ("h > None", "position 5: None is not allowed"),
        ("h > 1e999", "position 5: 1e309 is not allowed"),
        ("'ä' == dtype and h.real", "position 18: an attribute is not allowed"),
        ("h >", "position "),
        ("", "position 1: "),
        ("import os", "position 1: invalid syntax"),
        ("-" * 499 + "1", "position 1: "),
        ("h" * (MAX_LENGTH + 1), f"position {MAX_LENGTH + 1}: longer than"),
    ],
)
def test_everything_else_is_refused_with_its_position(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert str(caught.value).startswith(message)


def test_every_attribute_of_a_case_has_a_name() -> None:
    names = {*ConvCase.__struct_fields__, "workspace", "env"}
    assert set(NAMES) == names == set(VALUES)


def accepted(text: str) -> bool:
    """Accept or refuse; an accepted expression must have a truth."""
    try:
        expression = Expression(text)
    except ExpressionError as error:
        assert str(error).startswith("position ")
        return False
    assert expression(VALUES) in (True, False)
    return True


HARMLESS = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.List, ast.Subscript),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def assert_harmless(text: str) -> None:
    """Assess by Python's own grammar, with other means than the code under test."""
    for node in ast.walk(ast.parse(text.strip().replace("\n", " "), mode="eval")):
        assert isinstance(node, HARMLESS), ast.dump(node)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            assert node.func.id in {"min", "max", "abs"}
        if isinstance(node, ast.Name):
            assert node.id in {*NAMES, "min", "max", "abs"}


TOKENS = (
    *NAMES,
    *("min", "max", "abs", "open", "eval", "getattr", "__import__", "__class__", "print", "x"),
    *("0", "1", "42", "1.5", "1j", "'a'", "b'a'", "f'{h}'", "None", "True", "..."),
    *("(", ")", "[", "]", "{", "}", ",", ".", ":", "=", ":=", "*", "**", "/", "//", "%", "+", "-"),
    *("<", ">", "==", "!=", "<=", "~", "@", "&", "|", "<<", "\\", "\n", ";", "#"),
    *(" and ", " or ", "not ", " in ", " is ", " if ", " else ", " for ", "lambda ", "await "),
)


@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join))
@example("h.__class__.__mro__")
@example("max(h, w) .real")
@example("(lambda: h)()")
def test_nothing_but_harmless_python_gets_through(text: str) -> None:
    if accepted(text):
        assert_harmless(text)


@given(st.text(max_size=60))
def test_any_text_is_accepted_or_refused_and_nothing_else(text: str) -> None:
    if accepted(text):
        assert_harmless(text)


def numbers(depth: int) -> st.SearchStrategy[str]:
    """Texts of numeric expressions."""
    leaves = st.one_of(st.sampled_from(["h", "w", "kh"]), st.integers(0, 99).map(str))
    if depth == 0:
        return leaves
    inner = numbers(depth - 1)
    return st.one_of(
        leaves,
        st.tuples(inner, st.sampled_from("+-*"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(inner, st.sampled_from(["//", "%"]), st.integers(1, 9)).map(
            "({0[0]} {0[1]} {0[2]})".format
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            "{0[0]}({0[1]}, {0[2]})".format
        ),
    )


COMPARISONS = st.tuples(
    numbers(2), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers(2)
).map("{0[0]} {0[1]} {0[2]}".format)
CONDITIONS = st.tuples(
    COMPARISONS, st.sampled_from(["and", "or", "and not", "or not"]), COMPARISONS
).map("{0[0]} {0[1]} {0[2]}".format)


@given(CONDITIONS)
def test_an_accepted_expression_means_what_python_says(text: str) -> None:
    expected = eval(text, dict(VALUES))  # noqa: S307 - Python itself is the oracle here
    assert Expression(text)(VALUES) == bool(expected)
