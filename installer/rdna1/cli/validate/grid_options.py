"""The options that name the values of a grid."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec

from rdna1.cli.output import ArgumentParser
from rdna1.measure.sweep.grid import Grid

# Name of the option, and what one of its values is.
_OPTIONS = {
    "channels": ("--channels", "C_IN->C_OUT"),
    "side": ("--side", "SIDE, HEIGHTxWIDTH or FIRST:LAST:STEP"),
    "kernel": ("--kernel", "SIDE, HEIGHTxWIDTH or FIRST:LAST:STEP"),
    "dims": ("--dims", "1, 2 or 3"),
    "n": ("--batch", "a number above 0"),
    "stride": ("--stride", "a number above 0"),
    "padding": ("--padding", "a number or same"),
    "dilation": ("--dilation", "a number above 0"),
    "groups": ("--groups", "a number above 0 or depthwise"),
    "dtype": ("--dtype", "float32, float16 or bfloat16"),
    "direction": ("--direction", "forward, backward, backward-data or backward-weights"),
    "transposed": ("--transposed", "no or yes"),
    "output_padding": ("--output-padding", "a number"),
    "memory_format": ("--memory-format", "contiguous or channels_last"),
}
_BOOLEANS = {"no": False, "yes": True}


def add_grid_options(parser: ArgumentParser) -> None:
    """Add an option for each list of a `Grid`."""
    group = parser.add_argument_group("grid", "lists of values, separated by commas")
    usual, hints = Grid(), get_type_hints(Grid, include_extras=True)
    for name, (option, form) in _OPTIONS.items():
        shown = ",".join(
            {False: "no", True: "yes"}[value] if isinstance(value, bool) else str(value)
            for value in getattr(usual, name)
        )
        group.add_argument(
            option,
            dest=f"grid_{name}",
            type=_values(hints[name], form),
            metavar="LIST",
            help=f"each {form} (default: {shown})",
        )


def chosen_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the lists that the user has given, by their names in a `Grid`."""
    given = {name: getattr(options, f"grid_{name}") for name in _OPTIONS}
    return {name: values for name, values in given.items() if values is not None}


def _values(kind: Any, form: str) -> Callable[[str], list[Any]]:
    def parse(text: str) -> list[Any]:
        items = [
            int(item) if item.isdecimal() else _BOOLEANS.get(item, item) for item in text.split(",")
        ]
        try:
            values: list[Any] = msgspec.convert(items, kind)
        except msgspec.ValidationError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: each must be {form}") from error
        return values

    return parse
