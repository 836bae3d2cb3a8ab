"""Jinja filters of the roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rdna1.failures import explain


def rdna1_failure(result: Mapping[str, Any]) -> str:
    """Cause and remedy of a failed task's result."""
    return explain(
        "\n".join(str(result[key]) for key in ("msg", "stderr", "stdout") if result.get(key))
    )


class FilterModule:
    """What Ansible looks for in a filter file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Names and functions of the filters."""
        return {"rdna1_failure": rdna1_failure}
