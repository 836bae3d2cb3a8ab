"""The variables that a uv of ours is started with."""

from __future__ import annotations

import os

# What may come from whoever calls: where its own cache is or that it has none, how long to wait,
# whose certificates.
# Everything else of uv's would let an index, a constraint, a link mode or a list of Pythons in
# that neither the lock nor the stack names, or that no hash holds.
_KEPT = frozenset({"UV_CACHE_DIR", "UV_NO_CACHE", "UV_HTTP_TIMEOUT", "UV_SYSTEM_CERTS"})


def uv_variables(**own: str) -> dict[str, str]:
    """Return the environment of a uv of ours: this process's, without what would steer uv.

    Args:
        own: variables to set besides.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UV_") or k in _KEPT}
    if "UV_CACHE_DIR" in own:
        kept.pop("UV_NO_CACHE", None)
    return {**kept, **own}
