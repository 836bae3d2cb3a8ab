"""The environment variables of a worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# With the value 1 torch computes convolutions itself, as an im2col and a BLAS product. torch's
# name for MIOpen is cudnn (ROCm documentation, "PyTorch: HIP (ROCm) semantics").
BYPASS_VARIABLE = "RDNA1_BYPASS_MIOPEN"
# With the value 1 a 1x1 convolution is a plain matrix product, and no other one is computed.
MATMUL_VARIABLE = "RDNA1_MATMUL"
# With the value 1 torch asks MIOpen for an algorithm and has it run none to find one.
IMMEDIATE_VARIABLE = "RDNA1_MIOPEN_IMMEDIATE"

# A run neither uses nor changes what the user has there.
OWN_FOLDERS = ("MIOPEN_USER_DB_PATH", "MIOPEN_CUSTOM_CACHE_DIR", "TMPDIR")

_LEFT_OUT = ("MIOPEN_FIND_ENFORCE", "RDNA1_GUARD")


def worker_environment(
    environment: Mapping[str, str], folder: Path, variables: Mapping[str, str | None]
) -> dict[str, str]:
    """Variables of a worker, so that a run neither uses nor changes what the user has cached.

    MIOpen 5.2 to 6.2 reads MIOPEN_USER_DB_PATH and MIOPEN_CUSTOM_CACHE_DIR (src/db_path.cpp.in,
    src/binary_cache.cpp) and, like the compiler below it, puts temporary files under TMPDIR,
    where a killed worker would leave them. MIOPEN_FIND_ENFORCE would tune for minutes, and with
    RDNA1_GUARD the guard would keep the card from what is to be measured.
    OMP_WAIT_POLICY has torch's threads sleep while they wait for one another: on a busy machine
    those that spin take the processor from the one that they wait for, again in each small
    convolution.

    Args:
        environment: of this process.
        folder: exists, and is removed after the run.
        variables: what the workers shall have otherwise; None removes a variable.

    Raises:
        ValueError: ``variables`` has one of `OWN_FOLDERS`, which are the run's own.
    """
    if fixed := sorted(variables.keys() & set(OWN_FOLDERS)):
        raise ValueError(f"{', '.join(fixed)}: a worker has its own, always fresh")
    result = {key: text for key, text in environment.items() if key not in _LEFT_OUT}
    for key, text in variables.items():
        result.pop(key, None)
        if text is not None:
            result[key] = text
    # The worker runs in a folder of its own, where relative entries would lead elsewhere.
    if "PYTHONPATH" in result:
        entries = result["PYTHONPATH"].split(os.pathsep)
        result["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries)
    for name in OWN_FOLDERS:
        place = folder / name.lower()
        place.mkdir(exist_ok=True)
        result[name] = str(place)
    result.setdefault("OMP_WAIT_POLICY", "passive")
    return result
