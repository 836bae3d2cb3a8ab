"""Keeps convolutions of any size inside an envelope: exact, forward and backward.

Standard library and torch (1.13 to the newest) alone, so that it can be imported and installed
without the rest of the package. What needs torch is imported when it is first used: who reads an
envelope, watches a program or waits for torch to be imported goes without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .envelope import Envelope, EnvelopeError, Form, Limit, Pair, Range, load
from .status import Status, status

if TYPE_CHECKING:
    from .activate import active, wrap
    from .convolution import FallbackWarning, OutsideEnvelopeError
    from .functional import (
        conv1d,
        conv2d,
        conv3d,
        conv_transpose1d,
        conv_transpose2d,
        conv_transpose3d,
    )

__all__ = [
    "Envelope",
    "EnvelopeError",
    "FallbackWarning",
    "Form",
    "Limit",
    "OutsideEnvelopeError",
    "Pair",
    "Range",
    "Status",
    "active",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "load",
    "status",
    "wrap",
]

_MODULES = {
    "activate": ("active", "wrap"),
    "convolution": ("FallbackWarning", "OutsideEnvelopeError"),
    "functional": tuple(name for name in __all__ if name.startswith("conv")),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name's module.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    # From now on it is an attribute like any other.
    globals()[name] = value
    return value
