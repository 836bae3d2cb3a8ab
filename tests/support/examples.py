"""How many cases a property test tries."""

from __future__ import annotations

import os

FACTOR = int(os.environ.get("RDNA1_EXAMPLES_FACTOR", "1"))


def examples(usual: int) -> int:
    """Number of cases: the usual one, times what RDNA1_EXAMPLES_FACTOR says."""
    return usual * FACTOR
