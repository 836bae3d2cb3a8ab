"""What the running kernel was built with, as far as the card needs it."""

from __future__ import annotations

import re
import zlib

from ..rootfs import RootFs, UnreadableError

_OPTIONS = ("CONFIG_DRM_AMDGPU", "CONFIG_HSA_AMD")
_LINE = re.compile(
    r"^(?:(?P<set>CONFIG_\w+)=(?P<value>[ym])|# (?P<unset>CONFIG_\w+) is not set)$", re.M
)
_COMPRESSED = "/proc/config.gz"
_LIMIT = 4 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def kernel_config(rootfs: RootFs, release: str | None) -> dict[str, str]:
    """Return ``y``, ``m`` or ``n`` of each option of the driver, none for one that is not there.

    Args:
        rootfs: of the machine.
        release: of the running kernel.

    Raises:
        UnreadableError: no file tells.
    """
    if release is None or "/" in release:
        raise UnreadableError("the release of the running kernel is not known")
    for path in (
        f"/boot/config-{release}",
        f"/lib/modules/{release}/config",
        f"/usr/src/linux-headers-{release}/.config",
    ):
        if rootfs.exists(path):
            return _options(rootfs.text(path, _LIMIT))
    return _options(_decompressed(rootfs))


def _decompressed(rootfs: RootFs) -> str:
    data = rootfs.data(_COMPRESSED)
    try:
        return zlib.decompressobj(_GZIP).decompress(data, _LIMIT).decode("utf-8", "replace")
    except zlib.error as error:
        raise UnreadableError(f"{_COMPRESSED}: {error}") from error


def _options(text: str) -> dict[str, str]:
    lines = _LINE.finditer(text)
    values = {line["set"] or line["unset"]: line["value"] or "n" for line in lines}
    return {name: values[name] for name in _OPTIONS if name in values}
