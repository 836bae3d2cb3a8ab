"""Name cause and remedy where Ansible itself fails, in words that name neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

from rdna1.catalog.failures import explain_machine
from rdna1.target.printable import printable_lines

DOCUMENTATION = r"""
name: rdna1_remedies
type: aggregate
short_description: Name cause and remedy of failures of the machine
description:
  - Of what F(installer/rdna1/catalog/data/machine_failures.yml) knows, such as a folder of
    Ansible's that cannot be written, or a module that was killed. Tasks of this project name their
    own.
author: [rdna1 contributors]
"""

_TOLD = ("msg", "module_stderr", "module_stdout", "stderr")


class CallbackModule(CallbackBase):
    """Loaded with every playbook, by ``ansible.cfg``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rdna1_remedies"

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell of a failed task."""
        if not ignore_errors:
            _tell(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tell of a machine that is out of reach."""
        _tell(result)


def _tell(result: Any) -> None:
    """Print cause and remedy of a result that is known."""
    details: Mapping[str, Any] = result.result
    text = explain_machine("\n".join(str(details[key]) for key in _TOLD if details.get(key)))
    if text:
        Display().display(printable_lines(f"{result.host.get_name()}: {text}"), color="red")
