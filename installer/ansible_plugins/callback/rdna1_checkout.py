"""Stop before root runs what somebody else could have written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: rdna1_checkout
type: aggregate
short_description: Refuse a checkout that others can write
description:
  - Has C(./run checkout) look at this checkout, before the first play where Ansible runs as root,
    before a play that becomes root where it does not.
  - Lets nobody else write what the playbook writes on the controller, whatever the umask.
author: [rdna1 contributors]
"""

_OTHERS_WRITE = 0o022
RUN = Path(__file__).resolve().parents[3] / "run"


class CallbackModule(CallbackBase):
    """Loaded with every playbook, by ``ansible.cfg``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rdna1_checkout"

    def __init__(self) -> None:
        """Begin with nothing checked."""
        super().__init__()
        self._checked = False

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Check before the first play, and write nothing that a later check refuses."""
        os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)
        if os.geteuid() == 0:
            self._check()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Check before a play with which a user becomes root."""
        if play.become:
            self._check()

    def _check(self) -> None:
        if self._checked:
            return
        self._checked = True
        done = subprocess.run(  # noqa: S603 - an argument list, of this checkout
            ["/bin/sh", str(RUN), "checkout"], stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            Display().error(done.stderr.strip().removeprefix("run: "), wrap_text=False)
            # Ansible goes on after any other exception of a callback.
            raise SystemExit(done.returncode)
