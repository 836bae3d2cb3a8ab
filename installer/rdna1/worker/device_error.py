"""What an error of a device means for the case and for the worker."""

from __future__ import annotations

import re

from rdna1.conv.case import ConvCase

# After these a process cannot use its device any more: texts of the CUDA runtime's cudaError_t,
# which HIP's hipError_t has too, and ROCr's hsa_status_t.
_LOST = re.compile(
    r"unspecified launch failure|illegal memory access|device-side assert|misaligned address"
    r"|illegal instruction|uncorrectable ECC|context is destroyed|HSA_STATUS_ERROR"
)

# torch, the CUDA and HIP runtimes; cuDNN; MIOpen; torch on the CPU.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|CUDNN_STATUS_ALLOC_FAILED|miopenStatusAllocFailed|can't allocate memory"
)

# MIOpen's own words and SQLite's, where a database of the user or of the system is damaged, locked
# or on a file system without locks (ROCm/MIOpen#1878 and #2214).
_DATABASE = re.compile(
    r"database disk image is malformed|file is not a database|database is locked"
    r"|unable to open database|accessing SQLite database|disk I/O error|kern_db|\.u?kdb"
)

_MIB = 1 << 20


class DeviceError(RuntimeError):
    """An error of torch on a device, explained.

    Args:
        case: what was run.
        error: what torch raised.
        usable: whether the process can go on using the device.

    Attributes:
        usable: likewise.
    """

    def __init__(self, case: ConvCase, error: RuntimeError, *, usable: bool) -> None:
        """Say what the error means; torch's own words follow."""
        super().__init__(_explain(case, f"{type(error).__name__}: {error}"))
        self.usable = usable


def _explain(case: ConvCase, text: str) -> str:
    if _OUT_OF_MEMORY.search(text):
        needs = (
            f"{case.tensor_bytes / _MIB:.1f} MiB for its tensors, and explicit GEMM "
            f"{case.workspace_bytes / _MIB:.1f} MiB of workspace"
        )
        return f"out of memory: the case needs {needs}. {text}"
    if _DATABASE.search(text):
        return (
            "a database of MIOpen is damaged or locked: rdna1-preflight (miopen-databases) names "
            f"those of this user. {text}"
        )
    if _LOST.search(text):
        return f"the device was lost while it worked. {text}"
    return text
