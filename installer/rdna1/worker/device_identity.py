"""What tells one device of a machine from another, for all processes alike."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from pathlib import Path

# The functions are documented in the runtime APIs of HIP and CUDA; both write an address such
# as 0000:0A:00.0. torch itself gives it in recent versions only.
_RUNTIMES = (("libamdhip64.so", "hipDeviceGetPCIBusId"), ("libcudart.so", "cudaDeviceGetPCIBusId"))

_FILTERS = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def cuda_identity(index: int, environment: Mapping[str, str]) -> str:
    """Identity of a device of torch's in this process, which has opened it.

    Args:
        index: of the device as torch counts.
        environment: of this process.

    Returns:
        Its PCI address, or its name under the filters of the environment where no runtime says.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    for library, function in _RUNTIMES:
        # The copy that torch has loaded knows the device already.
        loaded = re.search(rf"/\S*/{re.escape(library)}\S*", maps)
        address = ctypes.create_string_buffer(64)
        if loaded:
            ask = getattr(ctypes.CDLL(loaded.group()), function)
            if ask(address, len(address), index) == 0 and address.value:
                return f"GPU {address.value.decode().lower()}"
    filters = [f"{name}={environment[name]}" for name in _FILTERS if name in environment]
    return " ".join([f"GPU {index}", *filters])
