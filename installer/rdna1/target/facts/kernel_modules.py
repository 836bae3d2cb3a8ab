"""Kernels that are installed, and builds of AMD's own driver for them."""

from __future__ import annotations

from ..rootfs import RootFs

_KERNELS = "/lib/modules"
_OWN_FOLDER = "kernel/drivers/gpu/drm/amd/amdgpu"
# Where DKMS puts modules next to the kernel's own.
_DKMS_FOLDERS = ("updates/dkms", "updates", "extra")
_BUILDS = "/var/lib/dkms/amdgpu"
# Next to the kernels, a version's folder in DKMS' tree holds these.
_NO_KERNELS = frozenset(["source", "build"])


def kernels(rootfs: RootFs) -> list[str]:
    """Return releases of the kernels whose modules are installed.

    A folder that only holds what other programs left behind is not an installed kernel.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    names = rootfs.names(_KERNELS)
    return [name for name in names if rootfs.exists(f"{_KERNELS}/{name}/kernel")]


def with_amdgpu(rootfs: RootFs) -> list[str]:
    """Return releases of the installed kernels that have the module amdgpu, or have it built in.

    Cloud and minimal kernels leave it out, or have it in a package of its own.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    own = own_amdgpu(rootfs)
    return [
        name
        for name in kernels(rootfs)
        if name in own
        or any(_holds_amdgpu(rootfs, f"{_KERNELS}/{name}/{place}") for place in _DKMS_FOLDERS)
    ]


def own_amdgpu(rootfs: RootFs) -> list[str]:
    """Give releases of the installed kernels that have an amdgpu of their own, not AMD's from DKMS.

    Raises:
        UnreadableError: there is no folder of modules, in a container for example.
    """
    return [name for name in kernels(rootfs) if _has_own(rootfs, name)]


def _has_own(rootfs: RootFs, kernel: str) -> bool:
    folder = f"{_KERNELS}/{kernel}"
    # Older releases of DKMS keep the one that they replaced, and put it back.
    if _holds_amdgpu(rootfs, f"{folder}/{_OWN_FOLDER}") or _holds_amdgpu(
        rootfs, f"{_BUILDS}/original_module/{kernel}/x86_64"
    ):
        return True
    return "/amdgpu.ko" in (rootfs.optional_text(f"{folder}/modules.builtin") or "")


def _holds_amdgpu(rootfs: RootFs, folder: str) -> bool:
    return any(name.startswith("amdgpu.ko") for name in rootfs.optional_names(folder))


def dkms_builds(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``version`` of each amdgpu that DKMS knows, and the ``kernels`` it is built for.

    ``source`` tells whether the source is still there: without it DKMS can only fail.

    Raises:
        UnreadableError: a folder of DKMS exists and cannot be read.
    """
    return [
        {
            "version": version,
            "kernels": _built_for(rootfs, f"{_BUILDS}/{version}"),
            "source": rootfs.exists(f"{_BUILDS}/{version}/source/dkms.conf"),
        }
        for version in rootfs.optional_names(_BUILDS)
        # Links such as kernel-6.8.0-45-generic-x86_64 lead to the builds that are listed.
        if version != "original_module" and rootfs.link_name(f"{_BUILDS}/{version}") is None
    ]


def _built_for(rootfs: RootFs, folder: str) -> list[str]:
    return [
        kernel
        for kernel in rootfs.optional_names(folder)
        if kernel not in _NO_KERNELS
        and any(
            rootfs.optional_names(f"{folder}/{kernel}/{architecture}/module")
            for architecture in rootfs.optional_names(f"{folder}/{kernel}")
        )
    ]
