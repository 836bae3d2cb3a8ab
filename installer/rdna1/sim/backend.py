"""The ``sim:FILE`` device for a whole program: its convolutions misbehave as the rules say."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rdna1.conv.case import ConvCase, Direction
from rdna1.sim.rules import Rule, crash, hang, load_rules

_SLOW_SECONDS = 1.0


class SimulatedBackend(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lets convolutions that reach torch's backend in a ``with`` block misbehave by rules.

    Of axes that differ the larger stride, padding and dilation counts.
    """

    def __init__(self, rules: Path, env: Mapping[str, str] = os.environ) -> None:
        """Read the rules.

        Raises:
            rdna1.catalog.yaml_data.DataFileError: it is no such file; file, line and key are named.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._rules, self._env = load_rules(rules), env

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation, a convolution as its rule says."""
        rule = None
        if func is torch.ops.aten.convolution.default:
            rule = self._rule(args[0].shape, args[1], args[3:9], "forward")
        elif func is torch.ops.aten.convolution_backward.default:
            rule = self._rule(args[1].shape, args[2], args[4:10], "backward")
        if rule is not None:
            _misbehave(rule, func)
        result = func(*args, **(kwargs or {}))
        return _wrong(result) if rule is not None and rule.outcome == "wrong" else result

    def _rule(
        self,
        shape: torch.Size,
        weight: Tensor,
        options: Any,
        direction: Direction,
    ) -> Rule | None:
        stride, padding, dilation, transposed, output_padding, groups = options
        sizes, kernel = (1, 1, *shape[2:])[-3:], (1, 1, *weight.shape[2:])[-3:]
        case = ConvCase(
            c_in=shape[1],
            c_out=weight.shape[1] * groups if transposed else weight.shape[0],
            h=sizes[1],
            w=sizes[2],
            kh=kernel[1],
            kw=kernel[2],
            n=shape[0],
            stride=max(stride),
            padding=max(padding),
            dilation=max(dilation),
            groups=groups,
            dtype="float32" if weight.element_size() > 2 else "float16",
            direction=direction,
            dims=3 if len(shape) == 5 else 2,
            depth=sizes[0],
            kd=kernel[0],
            transposed=transposed,
            output_padding=max(output_padding) if transposed else 0,
        )
        return next((rule for rule in self._rules if rule.holds(case, self._env)), None)


def _misbehave(rule: Rule, func: Any) -> None:
    if rule.outcome == "hang":
        hang()
    if rule.outcome == "crash":
        crash()
    if rule.outcome == "error":
        raise RuntimeError(f"simulated error in {func}: {rule.when}")
    if rule.outcome == "slow":
        time.sleep(_SLOW_SECONDS)


def _wrong(result: Any) -> Any:
    if isinstance(result, Tensor):
        return result + 1
    return tuple(None if each is None else each + 1 for each in result)
