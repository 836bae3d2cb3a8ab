"""The machine of this folder: it has no GPU, and things of the owner's are in every place."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from support.box_state import state
from support.boxes import Box, remove_box, start_box
from support.provisioned import THINGS_OF_THE_OWNER, USERS, Provisioned
from support.umasks import HARD, umask_of

# It does not say that it has types.
testinfra: Any = importlib.import_module("testinfra")


@pytest.fixture(scope="package")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """Make a machine, and run site.yml in check mode, then for real.

    The controller has a hard umask, as hardened machines do, until the machine is removed.
    """
    name = f"rdna1-test-{os.getpid()}-provisioned"
    with umask_of(HARD):
        try:
            box = start_box(name, tmp_path_factory.mktemp("box"), [])
            box.run("apt-get", "-qq", "update")
            box.run("useradd", "--create-home", "--shell", "/bin/bash", "ada")
            box.run("sh", "-euc", THINGS_OF_THE_OWNER)
            before = state(box)
            shown = box.play(USERS, "--check", "--diff")
            assert shown.returncode == 0, shown.stdout
            checked = state(box)
            played = box.play(USERS)
            assert played.returncode == 0, played.stdout
            yield Provisioned(box, before, checked, played.stdout)
        finally:
            remove_box(name)


@pytest.fixture
def box(provisioned: Provisioned) -> Box:
    """The machine."""
    return provisioned.box


@pytest.fixture
def host(box: Box) -> Any:
    """The machine as testinfra sees it."""
    return testinfra.get_host(f"podman://{box.name}")
