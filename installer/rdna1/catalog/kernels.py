"""The kernels that a release of Debian or Ubuntu offers (``kernels.yml``)."""

from __future__ import annotations

from functools import cache

import msgspec

from rdna1.catalog.yaml_data import DATA, load


class ReleaseKernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kernel (``major.minor``) of a release, and the package that installs it."""

    os: str
    version: str
    kernel: str
    package: str


@cache
def release_kernels(os: str, version: str) -> list[ReleaseKernel]:
    """Return the kernels of a release, the preferred first.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    kernels = load(DATA / "kernels.yml", list[ReleaseKernel])
    return [kernel for kernel in kernels if (kernel.os, kernel.version) == (os, version)]
