"""Which layers of all classes are run, given what the cases before them said.

What passes is cheap and what hangs is dear, so a layer is tried when it is likely enough to pass
(`rdna1.measure.boundary.model`). How likely is enough depends on the hangs that are left. The
layers that passed are the envelope, at any moment.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from rdna1.conv.case import ConvCase
from rdna1.conv.limits import Box, contained_in
from rdna1.measure.boundary.kinds import (
    Form,
    Kind,
    Shapes,
    ascending,
    corners,
    fits,
    kinds,
    with_less,
)
from rdna1.measure.boundary.layers import sized
from rdna1.measure.boundary.model import Model

# Up to which risk a case is run, by the number of hangs that are left. The last ends the search,
# and all that was not tried by then is forbidden.
_TOLERATED = ((7, 0.6), (5, 0.4), (4, 0.3), (3, 0.15), (2, 0.05), (1, 0.01))

# Workers that doubting the rule of the reference layer may cost.
_MOST_DOUBTS = 2
_LEAST_DOUBT = 0.2

# A hang that nothing has announced begins a limit, so it is waited for with patience.
_UNANNOUNCED = 0.1


class Run(Protocol):
    """Runs a case for a class, whose name it gets; returns whether it passed."""

    def __call__(self, case: ConvCase, name: str, *, patient: bool) -> bool:
        """Run it; with patience, if its hang would begin a limit."""


class Survey:
    """Runs layers of each class.

    Args:
        run: runs a case.
        hangs_left: how many workers may still be lost.
        max_side: no map is higher or wider, in pixels.
    """

    def __init__(self, run: Run, hangs_left: Callable[[], int], max_side: int) -> None:
        """Start without a case."""
        self.model = Model()
        self._run_case = run
        self._hangs_left = hangs_left
        self._max_side = max_side
        self._done: dict[ConvCase, bool] = {}

    def add(self, case: ConvCase, *, passed: bool) -> None:
        """Learn from a case that was run elsewhere."""
        if case not in self._done:
            self._done[case] = passed
            self.model.add(case, passed=passed)

    def run(self, form: Form, limits: Sequence[int], wanted: Sequence[Kind] | None = None) -> None:
        """Look at all classes from below, then at each from its largest layers.

        What the classes have in common shows from below and costs little, so the hangs that are
        left go where they tell most.

        Args:
            form: which classes.
            wanted: others than those of the form.
            limits: sides at which the reference layer was found to fail or pass.
        """
        shapes = Shapes(self._max_side, limits)
        wanted = kinds(form) if wanted is None else wanted
        # Few classes tell it by themselves.
        if limits and form == "full":
            self._doubt(wanted, shapes)
        for kind in wanted:
            if kind.thorough:
                self._climb(kind, shapes)
        for kind in wanted:
            self._reach(kind, corners(kind, shapes))
            self._lessen(kind, shapes)

    def _doubt(self, wanted: Sequence[Kind], shapes: Shapes) -> None:
        """Try what should fail if the reference layer's rule is that of all layers."""
        left = self._hangs_left()
        far = [side for side in shapes.sides if side >= self._max_side // 2]
        cases = [
            kind.case(kind.template.channels[0], n, side, side)
            for kind in wanted
            if kind.thorough
            for side in far[:1]
            for n in (1, 4)
        ]
        while left - self._hangs_left() < _MOST_DOUBTS:
            open_cases = [case for case in cases if case not in self._done]
            case = max(open_cases, key=self._doubtful, default=None)
            if case is None or self._doubtful(case) < _LEAST_DOUBT:
                return
            self._try(case, "what decides")

    def _doubtful(self, case: ConvCase) -> float:
        risk = self.model.risk(case)
        return min(risk, 1 - risk)

    def _climb(self, kind: Kind, shapes: Shapes) -> None:
        """Run the smallest layers of a class, side by side upwards, until one fails."""
        for case in ascending(kind, shapes):
            if not self._bearable(case) or not self._try(case, kind.name):
                return

    def _reach(self, kind: Kind, cases: Iterable[ConvCase]) -> None:
        """Run the largest layers of a class that are likely enough to pass."""
        left = [case for case in cases if case not in self._done]
        kin = _Kin(kind)
        seen = [case for case in self._done if case in kin]
        boxes = [contained_in(case) for case in seen if self._done[case]]
        failed = [case for case in seen if not self._done[case]]
        left = [case for case in left if _open(case, boxes, failed)]
        while left:
            version = self.model.version
            put_off: list[ConvCase] = []
            for number, case in enumerate(left):
                if not _open(case, boxes, failed):
                    continue
                if not self._bearable(case):
                    put_off.append(case)
                    continue
                if self._try(case, kind.name):
                    boxes.append(contained_in(case))
                else:
                    failed.append(case)
                if self.model.version != version:
                    put_off += left[number + 1 :]
                    break
            if self.model.version == version:
                return
            left = put_off

    def _lessen(self, kind: Kind, shapes: Shapes) -> None:
        """Run layers that have less of something than those that passed.

        One that fails is run on smaller maps, too: where it passes is what may be allowed.
        """
        kin = _Kin(kind)
        passed = [
            case
            for case, good in self._done.items()
            if good and case in kin and _grouped_alike(case, kind)
        ]
        for case in with_less(kind, passed):
            if not self._bearable(case) or self._try(case, kind.name):
                continue
            for side in shapes.sides:
                if not fits(kind, side) or side >= max(case.h, case.w):
                    continue
                smaller = sized(case, min(side, case.h), min(side, case.w))
                if not self._bearable(smaller) or not self._try(smaller, kind.name):
                    break

    def _bearable(self, case: ConvCase) -> bool:
        left = self._hangs_left()
        tolerated = next((risk for least, risk in _TOLERATED if left >= least), 0.0)
        return self.model.risk(case) <= tolerated

    def _try(self, case: ConvCase, name: str) -> bool:
        if case not in self._done:
            patient = self.model.risk(case) < _UNANNOUNCED
            self.add(case, passed=self._run_case(case, name, patient=patient))
        return self._done[case]


class _Kin:
    """The layers of a class."""

    def __init__(self, kind: Kind) -> None:
        channels = kind.template.channels[-1]
        side = 2 * kind.template.kernel * kind.template.dilation
        self._like = _alike(kind.case(channels, 1, side, side))

    def __contains__(self, case: ConvCase) -> bool:
        return bool(_alike(case) == self._like)


_alike = operator.attrgetter(
    *("kh", "kw", "kd", "stride", "dilation", "padding", "dtype", "direction", "dims"),
    *("transposed", "memory_format"),
)


def _grouped_alike(case: ConvCase, kind: Kind) -> bool:
    groups = kind.template.groups
    return case.groups == case.c_in > 1 if groups is None else case.groups == groups


def _open(case: ConvCase, boxes: Sequence[Box], failed: Sequence[ConvCase]) -> bool:
    """Tell whether nothing is known of a layer: no larger one passed, no smaller one failed."""
    return not any(case in box for box in boxes) and not any(
        one in contained_in(case) for one in failed
    )
