"""The limits that allow the layers inside of some ranges and no others, as few as can be read."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rdna1.conv.limits import Box, Limit, Span

_WORDS: dict[str, tuple[str, ...]] = {
    "direction": ("forward", "backward", "backward-data", "backward-weights"),
    "dtype": ("float32", "float16", "bfloat16"),
}
# In this order classes of layers are told apart. Inside of one, layers that are smaller in any
# respect are allowed, too; of batches and channels that holds from the least on that was tried.
_EXACT = ("kh", "kw", "kd", "dilation", "padding", "stride", "groups", *_WORDS)
_FROM = ("n", "c_in", "c_out")
_SIZES = ("n", "c_in", "c_out", "depth", "h")
_LEAST = {"padding": 0}

# Words or numbers, or from which to which number.
_Value = Any
_When = tuple[tuple[str, _Value], ...]


# A node, the lines of a class, or None where no layer is allowed.
_Tree = Any


class _Line(NamedTuple):
    """A limit before it is written down, so that equal ones are equal."""

    quantity: str
    most: int
    when: _When


class _Node(NamedTuple):
    """Layers told apart by one attribute: its values, and what holds for each."""

    name: str
    branches: tuple[tuple[_Value, _Tree], ...]


class _Size(NamedTuple):
    """How far a `Box` goes: the largest of each of `_SIZES` and the largest width."""

    most: tuple[int, ...]
    width: int


def limits_of(boxes: Sequence[Box], *, absent: Sequence[str] = ()) -> list[Limit]:
    """Return limits that allow the layers inside of each `Box` and no others.

    A limit that holds for all classes is said once, and one that another implies is left out.

    Args:
        boxes: at least one.
        absent: attributes that layers of this form do not have.
    """
    names = [name for name in (*_EXACT, *_FROM) if name not in absent]
    tree = _grown(names, tuple(boxes), {name: Span(1, 1) for name in absent})
    found = _without_implied(_merged(dict.fromkeys(_spelled(tree, (), ()))))
    return [Limit(each.quantity, each.most, _readable(each.when)) for each in found]


def _readable(when: _When) -> dict[str, list[int | str] | Span]:
    return {name: value if isinstance(value, Span) else list(value) for name, value in when}


def _grown(names: Sequence[str], boxes: tuple[Box, ...], inside: Mapping[str, Span]) -> _Tree:
    """Tell layers apart by the attributes in turn; values that lead to the same are joined.

    Args:
        names: of the attributes that are left.
        boxes: that are left.
        inside: what sizes there are.
    """
    if not boxes:
        return None
    if not names:
        sizes = frozenset(
            _Size(tuple(box.numbers[name][1] for name in _SIZES), box.numbers["w"][1])
            for box in boxes
        )
        return _lines(sizes, tuple(inside.get(name, Span(1)) for name in _SIZES))
    name, rest = names[0], names[1:]
    branches = []
    for value, left in _split(name, boxes):
        more = {**inside, name: value} if name in _FROM else inside
        branches.append((value, _grown(rest, left, more)))
    return _Node(name, _joined(branches))


def _split(name: str, boxes: tuple[Box, ...]) -> list[tuple[_Value, tuple[Box, ...]]]:
    """Return values of an attribute between which nothing changes, with what has them."""
    if name in _WORDS:
        return [
            ((word,), tuple(box for box in boxes if box.words[name] == word))
            for word in _WORDS[name]
        ]
    least = _LEAST.get(name, 1)
    spans = [box.numbers[name] for box in boxes]
    ends = {high + 1 for _, high in spans} if name not in _FROM else set()
    starts = sorted({least, *(low for low, _ in spans), *ends})
    found: list[tuple[_Value, tuple[Box, ...]]] = []
    for start, after in zip(starts, [*starts[1:], None], strict=True):
        inside = tuple(
            box for box, (low, high) in zip(boxes, spans, strict=True) if low <= start <= high
        )
        found.append((Span(start, None if after is None else after - 1), inside))
    return found


def _joined(branches: Iterable[tuple[_Value, _Tree]]) -> tuple[tuple[_Value, _Tree], ...]:
    """Put values together that lead to the same: words in any order, numbers if neighbours."""
    found: list[tuple[_Value, _Tree]] = []
    for value, rest in branches:
        words = not isinstance(value, Span)
        candidates = range(len(found)) if words else range(len(found))[-1:]
        place = next((number for number in candidates if found[number][1] == rest), None)
        if place is None:
            found.append((value, rest))
        else:
            before = found[place][0]
            found[place] = ((*before, *value) if words else Span(before.min, value.max), rest)
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _lines(sizes: frozenset[_Size], inside: tuple[Span, ...]) -> tuple[_Line, ...]:
    """Return the limits of one class, where each `Box` starts at the least of the sizes.

    Where a layer is not allowed, no larger one is. So each corner from which on only smaller
    widths are left is a limit, and there are no others.
    """
    axes = [
        sorted(
            {
                span.min or 1,
                *(end for size in sizes if (end := size.most[axis] + 1) in span),
            }
        )
        for axis, span in enumerate(inside)
    ]
    width: dict[tuple[int, ...], int] = {}
    found: dict[tuple[int, ...], dict[int, int]] = {}
    for place in itertools.product(*(range(len(axis)) for axis in axes)):
        corner = [axis[number] for axis, number in zip(axes, place, strict=True)]
        fitting = (
            size.width
            for size in sizes
            if all(most >= value for most, value in zip(size.most, corner, strict=True))
        )
        width[place] = max(fitting, default=0)
        before = (
            width[(*place[:axis], number - 1, *place[axis + 1 :])]
            for axis, number in enumerate(place)
            if number
        )
        if width[place] < min(before, default=_ENDLESS):
            found.setdefault(place[:-1], {})[corner[-1]] = width[place]
    lines: list[_Line] = []
    for place, widths in found.items():
        when = tuple(
            (name, Span(axis[number], None))
            for name, axis, number in zip(_SIZES, axes, place, strict=False)
            if number
        )
        lines += _of_maps(widths, when)
    return tuple(lines)


_ENDLESS = 2**62


def _of_maps(widths: Mapping[int, int], when: _When) -> Iterator[_Line]:
    """Return the limits on maps, given the widths that are left from some heights on."""
    highest = next((height - 1 for height, width in widths.items() if not width), None)
    widest = widths.get(1)
    if widest is not None and (highest == widest or not widest):
        yield _Line("side", widest, when)
    else:
        if widest is not None:
            yield _Line("width", widest, when)
        if highest is not None:
            yield _Line("height", highest, when)
    for height, width in widths.items():
        if height > 1 and width:
            yield _Line("width", width, (*when, ("h", Span(height, None))))


def _spelled(tree: _Tree, when: _When, known: tuple[_Line, ...]) -> Iterator[_Line]:
    """Return all limits of a tree; what holds on all of its branches comes first and once."""
    if tree is None:
        yield _Line("side", 0, when)
        return
    common = tuple(line for line in _common(tree) if not _implied(line, known))
    for line in common:
        yield _Line(line.quantity, line.most, _both(when, line.when))
    if not isinstance(tree, _Node):
        return
    single: tuple[int | str, ...] = ()
    # Where others are not allowed at all, it makes no difference that a limit holds for them too.
    alone = sum(rest is not None for _, rest in tree.branches) == 1
    for value, rest in tree.branches:
        condition = _condition(tree.name, value)
        if rest is None and isinstance(condition, tuple):
            single += condition
            continue
        plain = condition is None or (alone and rest is not None)
        more = when if plain else _both(when, ((tree.name, condition),))
        yield from _spelled(rest, more, (*known, *common))
    if single:
        yield _Line("side", 0, _both(when, ((tree.name, single),)))


@functools.lru_cache(maxsize=65536)
def _common(tree: _Tree) -> tuple[_Line, ...]:
    """Return the lines that hold for all layers of a tree that are allowed."""
    if not isinstance(tree, _Node):
        return tuple(tree)
    inside = [(value, _common(rest)) for value, rest in tree.branches if rest is not None]
    lines = dict.fromkeys(line for _, each in inside for line in each)
    return tuple(
        line
        for line in lines
        if all(_excludes(line, tree.name, value) or _implied(line, each) for value, each in inside)
    )


def _excludes(line: _Line, name: str, value: _Value) -> bool:
    """Tell whether a line is about other values than these."""
    wanted = dict(line.when).get(name)
    if not isinstance(wanted, Span) or not isinstance(value, Span):
        return False
    return value.max is not None and wanted.min is not None and value.max < wanted.min


def _implied(line: _Line, by: Iterable[_Line]) -> bool:
    return any(_implies(each, line) for each in by)


def _implies(one: _Line, other: _Line) -> bool:
    """Tell whether all that keep one limit keep the other."""
    same = one.quantity in (other.quantity, "side") or one.most == 0
    if not same or one.most > other.most:
        return False
    wanted = dict(other.when)
    return all(name in wanted and _covers(value, wanted[name]) for name, value in one.when)


def _covers(value: _Value, inside: _Value) -> bool:
    """Tell whether a condition is met wherever another one is."""
    if not isinstance(inside, Span):
        return all(each in value for each in inside)
    if not isinstance(value, Span):
        return False
    low = value.min is None or (inside.min is not None and value.min <= inside.min)
    return low and (value.max is None or (inside.max is not None and inside.max <= value.max))


def _without_implied(lines: list[_Line]) -> list[_Line]:
    kept: list[_Line] = []
    for number, line in enumerate(lines):
        if not _implied(line, kept) and not _implied(line, lines[number + 1 :]):
            kept.append(line)
    return kept


def _merged(lines: Iterable[_Line]) -> list[_Line]:
    """Make one of lines that differ in the words or numbers of one condition alone."""
    found = list(lines)
    for name in (*reversed(list(_WORDS)), *_EXACT):
        places: dict[object, int] = {}
        kept: list[_Line] = []
        for line in found:
            value = dict(line.when).get(name)
            if isinstance(value, tuple):
                rest = tuple(item for item in line.when if item[0] != name)
                key = (line.quantity, line.most, rest)
                if key in places:
                    kept[places[key]] = _widened(kept[places[key]], name, value)
                    continue
                places[key] = len(kept)
            kept.append(line)
        found = kept
    return list(dict.fromkeys(found))


def _widened(line: _Line, name: str, values: tuple[int | str, ...]) -> _Line:
    """Return a line for more values of an attribute; for all words, without a condition."""
    both = {*dict(line.when)[name], *values}
    order = _WORDS.get(name) or sorted(both)
    wider = tuple(value for value in order if value in both)
    when = dict(line.when) | {name: wider}
    if wider == _WORDS.get(name):
        del when[name]
    return _Line(line.quantity, line.most, tuple(when.items()))


def _both(when: _When, more: _When) -> _When:
    """Conditions that are all met; of an attribute that is there twice, the narrower one."""
    found = dict(when)
    for name, value in more:
        before = found.get(name)
        if isinstance(before, Span) and isinstance(value, Span):
            value = Span(value.min or before.min, before.max if value.max is None else value.max)
        found[name] = value
    return tuple(found.items())


def _condition(name: str, value: _Value) -> _Value:
    """Return the condition of a branch, None for one that all values meet."""
    if name in _WORDS:
        return None if len(value) == len(_WORDS[name]) else tuple(value)
    low = None if value.min == _LEAST.get(name, 1) else value.min
    if low is None and value.max is None:
        return None
    if value.min == value.max:
        return (value.min,)
    return Span(low, value.max)
