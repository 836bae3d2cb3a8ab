"""The parts of a plan by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from rdna1.plan.measurement import measurement_plan
from rdna1.plan.options import Part, Request
from rdna1.plan.pytorch import pytorch_plan
from rdna1.plan.rocm import rocm_plan
from rdna1.plan.variables import variables_plan

PARTS: Final[Mapping[str, Callable[[Request], Part]]] = MappingProxyType(
    {
        "rocm": rocm_plan,
        "pytorch": pytorch_plan,
        "environment": variables_plan,
        "validate": measurement_plan,
    }
)
