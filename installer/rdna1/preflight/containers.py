"""What gives a container the devices of the card, for each engine: all of it is done outside."""

from __future__ import annotations

from typing import Final

_NUMBER: Final = "NUMBER, which stat -c %g /dev/kfd shows on the host"
_INSIDE: Final = "GID, which getent group render shows in the container"
_DEVICES: Final = "--device /dev/kfd --device /dev/dri"

_PASS: Final[dict[str, str]] = {
    "podman": f"Start it with {_DEVICES} --group-add keep-groups",
    "docker": f"Start it with {_DEVICES} --group-add {_NUMBER}",
    "lxc": "Allow and bind /dev/kfd and /dev/dri in the container's configuration: on Proxmox with "
    f"dev0: /dev/kfd,gid=GID and dev1: /dev/dri/renderD128,gid=GID ({_INSIDE}).",
    "systemd-nspawn": "Allow and bind /dev/kfd and /dev/dri in the container's configuration: "
    "Bind=/dev/kfd and Bind=/dev/dri in its .nspawn file, and DeviceAllow=char-kfd rwm and "
    "DeviceAllow=char-drm rwm in its service.",
    "kubernetes": "Let the pod ask for amd.com/gpu of AMD's device plugin.",
    "apptainer": "Start it with --rocm.",
}
_GROUP: Final[dict[str, str]] = {
    "podman": "Outside: start the container with --group-add keep-groups, as a user of the "
    "host's group of /dev/kfd",
    "docker": f"Outside: start the container with --group-add {_NUMBER}",
    "lxc": "Outside, in the container's configuration: give the devices the group render of the "
    "container, on Proxmox dev0: /dev/kfd,gid=GID and dev1: /dev/dri/renderD128,gid=GID, with "
    f"Incus the key gid of the devices ({_INSIDE}). Then start it again.",
    "systemd-nspawn": "Outside: give /dev/kfd and /dev/dri/renderD* on the host a group that the "
    "container has under the same number, or start it without PrivateUsers.",
    "kubernetes": f"Outside: put into the pod's securityContext supplementalGroups: [{_NUMBER}]",
    "apptainer": "Outside: add the user to the host's group of /dev/kfd, and log in again there.",
}


def pass_devices(kind: str) -> str:
    """Return how the card's devices get into a container."""
    return _PASS.get(kind, f"Pass /dev/kfd and /dev/dri to the container ({kind}) from outside.")


def pass_group(kind: str) -> str:
    """Return how the users of a container get the right to use devices that it has."""
    fallback = f"Outside the container ({kind}): give its users the group of /dev/kfd by number."
    return _GROUP.get(kind, fallback)
