"""Makes and removes the boxes of a scenario, with the archives and wheels that they install from.

The playbooks next to it call it; Molecule names the scenario and its folder in the environment.

usage: box.py create NAME    make a box as the JSON on the standard input describes it
       box.py remove NAME    remove a box and its server
       box.py remember NAME  write down the state of a box
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from support.apt_repository import SigningKey, signing_key
from support.boxes import Box, remove_box, start_box
from support.loopback_server import start_server
from support.pythons import add_lent, find_python, lending
from support.scenario import remember_state, scenario_folder
from support.ubuntu_like import Archives, build_archives, real_image, start_ubuntu_like
from support.wheel_boxes import add_own_requirements, fill_index

# Whose ROCm AMD's repository has.
STACK = "rocm-5.7"
# What './run clean' looks for.
SANDBOX_LABEL = "io.rdna1.sandbox=box"


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a box is like; by default a Debian 13.

    Attributes:
        ubuntu: version of Ubuntu that the box takes itself for, with fakes of Ubuntu's archive
            and of AMD's repository; or that it is, where the name of a real image is set.
        wheels_for: versions of Python for which an index has wheels, those of PyTorch fakes.
        python: version of a further Python next to the box's own, lent by this machine.
    """

    ubuntu: str = ""
    wheels_for: tuple[str, ...] = ()
    python: str = ""


class Served(msgspec.Struct, frozen=True):
    """Addresses for the variables of the roles, empty where nothing is served."""

    archives: str = ""
    index: str = ""
    fingerprint: str = ""


def create(name: str, wanted: Description) -> None:
    """Make a box, and serve what it installs from.

    Args:
        name: of its container.
        wanted: what it is like.
    """
    remove(name)
    # Nothing that is served is signed again, so the key goes when the box is made.
    with signing_key() as key:
        served = _serve(name, wanted, key)
        _start(name, wanted, served, key)
    # The inventory reads this.
    scenario_folder().joinpath(f"{name}.json").write_bytes(msgspec.json.encode(served))


def remove(name: str) -> None:
    """Remove a box and its server, where they are.

    Args:
        name: of the box.
    """
    for container in (name, _server(name)):
        remove_box(container)
    shutil.rmtree(_folder(name), ignore_errors=True)


def _server(name: str) -> str:
    return f"{name}-server"


def _folder(name: str) -> Path:
    return scenario_folder() / f"{name}-served"


def _options(name: str) -> list[str]:
    return [
        f"--hostname={name}",
        f"--label={SANDBOX_LABEL}",
    ]


def _serve(name: str, wanted: Description, key: SigningKey) -> Served:
    folder = _folder(name)
    folder.mkdir()
    if wanted.ubuntu:
        build_archives(folder / "archives", key, STACK, [wanted.ubuntu])
    if wanted.wheels_for:
        fill_index(folder / "index")
    for python in wanted.wheels_for:
        add_own_requirements(folder / "index", python)
    if not any(folder.iterdir()):
        return Served()
    address = start_server(_server(name), folder, _options(_server(name)))
    return Served(
        archives=f"{address}/archives" if wanted.ubuntu else "",
        index=f"{address}/index/" if wanted.wheels_for else "",
        fingerprint=key.fingerprint if wanted.ubuntu else "",
    )


def _start(name: str, wanted: Description, served: Served, key: SigningKey) -> None:
    options = _options(name)
    # A real release has one of its own that fits. Where there is none to lend, uv brings it.
    lends = wanted.python and not real_image(wanted.ubuntu)
    python = find_python(wanted.python) if lends else None
    if python:
        options.append(lending(python))
    if wanted.ubuntu:
        archives = Archives(_folder(name) / "archives", served.archives, key)
        box = start_ubuntu_like(name, scenario_folder(), wanted.ubuntu, archives, options)
    else:
        box = start_box(name, scenario_folder(), options)
        box.run("apt-get", "-qq", "update")
    if python:
        add_lent(box, python)


ACTIONS: dict[str, Callable[[str], None]] = {
    "create": lambda name: create(name, msgspec.json.decode(sys.stdin.read(), type=Description)),
    "remove": remove,
    "remember": lambda name: remember_state(Box(name, scenario_folder())),
}


if __name__ == "__main__":
    ACTIONS[sys.argv[1]](sys.argv[2])
