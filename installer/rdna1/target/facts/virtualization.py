"""Whether the machine is a container, WSL or a virtual machine, and its memory."""

from __future__ import annotations

import re

from ..rootfs import MissingError, RootFs, UnreadableError

_DMI = "/sys/class/dmi/id"
# Begin of the vendor's or product's name, as systemd-detect-virt(1) tells machines apart.
_MAKERS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Virtual Machine", "hyper-v"),
    ("Google Compute Engine", "google"),
)
_HYPERVISOR = re.compile(r"^flags\s*:.*\bhypervisor\b", re.MULTILINE)
_TOTAL = re.compile(r"^MemTotal:\s+([0-9]{1,15}) kB$", re.MULTILINE)
_MARKERS = (
    ("/run/secrets/kubernetes.io", "kubernetes"),
    ("/.singularity.d", "apptainer"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
)


def virtualization(rootfs: RootFs) -> str | None:
    """Return kind of virtual machine, ``unknown`` for one of another maker, or None for none.

    Raises:
        UnreadableError: no sign of one, and the processor's flags cannot be read.
    """
    for name in ("product_name", "sys_vendor"):
        text = (rootfs.optional_text(f"{_DMI}/{name}") or "").strip()
        kind = next((kind for begin, kind in _MAKERS if text.startswith(begin)), None)
        if kind is not None:
            return kind
    return "unknown" if _HYPERVISOR.search(_of_kernel(rootfs, "/proc/cpuinfo")) else None


def model(rootfs: RootFs) -> dict[str, str]:
    """Give ``vendor`` and ``product`` of the machine as its firmware names them, empty without one.

    Raises:
        UnreadableError: the firmware's tables cannot be read.
    """
    return {
        "vendor": (rootfs.optional_text(f"{_DMI}/sys_vendor") or "").strip(),
        "product": (rootfs.optional_text(f"{_DMI}/product_name") or "").strip(),
    }


def memory_bytes(rootfs: RootFs) -> int:
    """Return memory that the kernel can use, in bytes.

    Raises:
        UnreadableError: the kernel's list does not hold it.
    """
    match = _TOTAL.search(_of_kernel(rootfs, "/proc/meminfo"))
    if match is None:
        raise UnreadableError("/proc/meminfo: no MemTotal")
    return int(match[1]) * 1024


def _of_kernel(rootfs: RootFs, path: str) -> str:
    try:
        # A line for each of many processors adds up.
        return rootfs.text(path, 16 * 1024 * 1024)
    except MissingError as error:
        raise UnreadableError(f"{error}; /proc belongs to a running machine") from error


def container(rootfs: RootFs) -> str | None:
    """Return kind of container, ``podman`` or ``lxc`` for example, ``wsl``, or None.

    Raises:
        UnreadableError: no sign of one, and not all signs could be read.
    """
    for path, kind in _MARKERS:
        if rootfs.exists(path):
            return kind
    for path in ("/run/systemd/container", "/run/host/container-manager"):
        named = (rootfs.optional_text(path) or "").strip()
        if named:
            return named
    if "microsoft" in (rootfs.optional_text("/proc/version") or "").lower():
        return "wsl"
    return _of_first_process(rootfs)


def _of_first_process(rootfs: RootFs) -> str | None:
    try:
        environment = rootfs.text("/proc/1/environ")
    except MissingError as error:
        raise UnreadableError(f"{error}; /proc belongs to a running machine") from error
    settings = dict(setting.partition("=")[::2] for setting in environment.split("\0"))
    if settings.get("container"):
        return settings["container"]
    return "kubernetes" if "KUBERNETES_SERVICE_HOST" in settings else None
