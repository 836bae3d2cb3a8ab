"""Whether the machine is a container or Windows' subsystem for Linux."""

from __future__ import annotations

from ..rootfs import MissingError, RootFs, UnreadableError

_MARKERS = (
    ("/run/secrets/kubernetes.io", "kubernetes"),
    ("/.singularity.d", "apptainer"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
)


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
