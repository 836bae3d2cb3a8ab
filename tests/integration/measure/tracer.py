"""Keep a process in the process table after its death: trace it and never wait for it.

A traced process that is killed stays, unreaped by its parent, until its tracer has seen it
(ptrace(2)). To the parent it looks as one in an uninterruptible sleep does.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

PTRACE_SEIZE = 0x4206  # linux/ptrace.h


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), 0, 0):
        raise OSError(ctypes.get_errno(), "PTRACE_SEIZE")
    os.write(1, b"tracing\n")
    time.sleep(600)


if __name__ == "__main__":
    main()
