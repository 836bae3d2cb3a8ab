"""Packages that are none of AMD's: newer ones in AMD's archive, and what a machine has of them.

Ubuntu's archive gets a `rocm-core` of a higher version than AMD's, on which AMD's packages depend.
"""

from __future__ import annotations

from support.apt_repository import FakePackage, package_file, publish
from support.boxes import Box
from support.ubuntu_like import CODENAMES, REPOSITORIES, Archives

DIGITS = {"rocm-5.7": "50701", "rocm-5.2": "50203"}
OF_AMD = ("rocm-core", "rocminfo", "hip-runtime-amd", "rocm-smi-lib", "comgr")
MOUNTED = "/by-hand"


def publish_foreign(served: Archives, stack: str, version: str) -> str:
    """Add the packages to the archives of fakes.

    Args:
        served: the archives.
        stack: whose ROCm AMD's archive has.
        version: of Ubuntu.

    Returns:
        The option of ``podman run`` that mounts the package that no archive of Ubuntu has.
    """
    root, suite, _ = REPOSITORIES[stack][0]
    newer = [FakePackage("unrelated", "99"), FakePackage("by-hand", "2")]
    publish(served.folder / root, suite, newer, served.key, origin="repo.radeon.com")
    own = [FakePackage("unrelated", "1"), FakePackage("rocm-core", "99")]
    ubuntu = served.folder / f"ubuntu-{version}"
    publish(ubuntu, CODENAMES[version], own, served.key, origin="Ubuntu")
    by_hand = served.folder / f"by-hand-{version}"
    publish(by_hand, "x", [FakePackage("by-hand", "1")], served.key, origin="nobody")
    return f"--volume={package_file(by_hand, 'by-hand').parent}:{MOUNTED}:ro"


def install_foreign(box: Box) -> None:
    """Install one package of Ubuntu's archive, and one by hand."""
    box.run("sh", "-euc", f"apt-get -qq install unrelated {MOUNTED}/by-hand_*.deb")


def upgraded(box: Box) -> dict[str, str]:
    """Upgrade all that can be, and return the version of each package."""
    box.run("apt-get", "-qq", "update")
    box.run("apt-get", "-qq", "--with-new-pkgs", "upgrade")
    shown = box.run("dpkg-query", "--show", "--showformat=${Package} ${Version}\n")
    return dict(line.split() for line in shown.splitlines())


def assert_amd_replaced_its_own(installed: dict[str, str], stack: str) -> None:
    """Check versions after an upgrade: AMD's archive replaced nothing but its own."""
    assert installed["unrelated"] == "1", "Ubuntu's, though AMD's archive has a newer one"
    assert installed["by-hand"] == "1", "what no archive of Ubuntu has stays as well"
    of_amd = {package: DIGITS[stack] in installed[package] for package in OF_AMD}
    assert of_amd == dict.fromkeys(OF_AMD, True)
