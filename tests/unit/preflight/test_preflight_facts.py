from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.catalog.cards import card_list
from rdna1.catalog.recommendations import recommendations
from rdna1.catalog.stacks import load_stack
from rdna1.preflight import CHECKS, FactsError, assess, load_facts
from rdna1.preflight.advice import advise
from support.examples import examples
from support.long_values import LONG_VALUES

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts


class Tagged(str):
    """As Ansible hands over strings."""


def test_facts_come_as_data_or_as_json(make_facts: MakeFacts) -> None:
    data = make_facts({})
    assert load_facts(data) == load_facts(json.dumps(data).encode())
    tagged = {Tagged(name): value for name, value in data.items()} | {"glibc": Tagged("2.39")}
    facts = load_facts(tagged)
    assert facts == load_facts(data)
    assert type(facts.glibc) is str


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "facts of schema version 2; this is for 1"),
        ({"schema_version": "1"}, "Expected `int`, got `str` - at `$.schema_version`"),
        ({"os": {}}, "missing required field `id` - at `$.os`"),
        ({"displays": [{"slot": 1}]}, "Expected `str`, got `int` - at `$.displays[0].slot`"),
        ({"kfd.device": {"path": "/dev/kfd", "owner": "a", "group": "b", "mode": "9"}}, "mode"),
        ({"glibc": 2.39}, "Expected `str | null`, got `float` - at `$.glibc`"),
        ({"disk": {1, 2}}, "facts are not plain data"),
    ],
)
def test_facts_that_do_not_fit(
    make_facts: MakeFacts, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(FactsError) as caught:
        load_facts(make_facts(changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "facts are not JSON: Input data was truncated"),
        (b'{"schema_version": 1, "os": {"id": "ubu', "truncated"),
        (b"\x7fELF", "facts are not JSON"),
        (b'{"schema_version": 1, "root": "\xff"}', "facts are not UTF-8"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `schema_version`"),
        (b'{"schema_version": 1, "x": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_does_not_fit(text: bytes, message: str) -> None:
    with pytest.raises(FactsError) as caught:
        load_facts(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


STACK = load_stack("rocm-5.7")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested data."""
    found = [path] if path else []
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


def leaves(facts: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Every place in facts with what is there."""
    return [(path, functools.reduce(operator.getitem, path, facts)) for path in places(facts)]


def put(facts: Any, path: tuple[Any, ...], value: object) -> None:
    functools.reduce(operator.getitem, path[:-1], facts)[path[-1]] = value


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data())
def test_damaged_facts_are_assessed_or_named(data: st.DataObject, make_facts: MakeFacts) -> None:
    facts = make_facts({})
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(facts)))
        owner = facts
        for step in path[:-1]:
            owner = owner[step]
        if data.draw(st.booleans()):
            owner[path[-1]] = data.draw(VALUES)
        else:
            del owner[path[-1]]
    try:
        loaded = load_facts(facts)
    except FactsError as error:
        assert "\n" not in str(error)
        return
    report = assess(loaded, STACK)
    assert len(report.checks) == len(CHECKS)
    assert not [f for f in report.checks if "broke" in f.summary]


@settings(max_examples=examples(200), deadline=None)
@given(cut=st.integers(0, 10_000), junk=st.binary(max_size=8))
def test_damaged_json_is_assessed_or_named(cut: int, junk: bytes, make_facts: MakeFacts) -> None:
    text = json.dumps(make_facts({})).encode()
    cut = min(cut, len(text))
    try:
        facts = load_facts(text[:cut] + junk + text[cut + len(junk) :])
    except FactsError as error:
        assert "\n" not in str(error)
        return
    assert len(assess(facts, STACK).checks) == len(CHECKS)


def assessed_or_named(facts: Any) -> None:
    try:
        loaded = load_facts(facts)
    except FactsError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000
        return
    report = assess(loaded, STACK)
    assert not [f.id for f in report.checks if "broke" in f.summary[:100]]
    advise(loaded, [STACK], card_list(), recommendations())


@settings(max_examples=examples(8), deadline=None)
@given(data=st.data())
def test_damaged_facts_with_a_text_of_10_mb_are_assessed_or_named(
    data: st.DataObject, make_facts: MakeFacts
) -> None:
    facts = make_facts({})
    path = data.draw(st.sampled_from([p for p, v in leaves(facts) if isinstance(v, str)]))
    put(facts, path, data.draw(st.sampled_from(LONG_VALUES)))
    assessed_or_named(facts)


@pytest.mark.parametrize("value", ["9" * 5000, "gfx" + "9" * 5000, "10.3." + "9" * 5000])
def test_numbers_of_5000_digits_are_assessed_or_named(make_facts: MakeFacts, value: str) -> None:
    """int() takes at most 4300 digits; packaging's versions are made of such numbers."""
    setting = {"name": "HSA_OVERRIDE_GFX_VERSION", "place": "/etc/environment", "line": 1}
    changes = {"variables": [{**setting, "value": "10.3.0"}]}
    for path, found in leaves(make_facts(changes)):
        if isinstance(found, str):
            facts = make_facts(changes)
            # A card that no list has, for what goes by the driver's name of it.
            facts["displays"][0]["device"] = "ffff"
            facts["kfd"]["nodes"][1]["device_id"] = "ffff"
            put(facts, path, value)
            assessed_or_named(facts)
