"""Keeps convolutions of any size inside an envelope: exact, forward and backward.

Standard library and torch (1.13 to the newest) alone, so that it can be imported and installed
without the rest of the package.
"""

from .activate import active, wrap
from .convolution import (
    FallbackWarning,
    OutsideEnvelopeError,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .envelope import Envelope, EnvelopeError, Limit, Pair, Range, load
from .status import Status, status

__all__ = [
    "Envelope",
    "EnvelopeError",
    "FallbackWarning",
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
