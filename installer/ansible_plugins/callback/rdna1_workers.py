"""End Ansible's workers with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: rdna1_workers
type: aggregate
short_description: End Ansible's workers with the process that started them
description:
  - When C(ansible-playbook) is killed, a worker that has its result waits for ever for somebody to
    read it. With this the kernel ends it. On Linux only.
author: [rdna1 contributors]
"""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class CallbackModule(CallbackBase):
    """Loaded with every playbook, by ``ansible.cfg``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rdna1_workers"

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Prepare every process that is forked from now on, but for programs."""
        if sys.platform == "linux":
            parent = os.getpid()
            # Loaded here: a fork of a process with threads may not load anything.
            prctl = ctypes.CDLL(None, use_errno=True).prctl
            os.register_at_fork(after_in_child=lambda: _end_with(parent, prctl))


def _end_with(parent: int, prctl: Any) -> None:
    """Have the kernel kill this process when its parent ends, if the parent is that process."""
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "prctl(PR_SET_PDEATHSIG)")
    # It may have ended before. A worker's own children have another parent, which lives.
    if os.getppid() == 1 or not os.path.exists(f"/proc/{parent}"):  # noqa: PTH110 - no imports here
        os._exit(signal.SIGKILL)
