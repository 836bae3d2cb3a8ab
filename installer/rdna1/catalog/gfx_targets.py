"""What the name of a gfx target says (llvm/llvm-project llvm/docs/AMDGPUUsage.rst)."""

from __future__ import annotations

import re
from typing import Final

# Graphics inside processors.
INTEGRATED: Final = frozenset(
    [
        *("gfx700", "gfx801", "gfx810", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033"),
        *("gfx1035", "gfx1036", "gfx1103"),
        *("gfx1150", "gfx1151", "gfx1152", "gfx1153"),
    ]
)
# Major and minor version of the first RDNA2 target, gfx1030.
_RDNA2: Final = (10, 3)
_TARGET: Final = re.compile(r"gfx(\d{1,4})(\d)[0-9a-f]")


def is_newer(gfx_target: str) -> bool:
    """Return whether a target, ``gfx1030`` for example, is of RDNA2 or later."""
    match = _TARGET.fullmatch(gfx_target)
    return match is not None and (int(match[1]), int(match[2])) >= _RDNA2
