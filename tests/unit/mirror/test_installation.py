"""Whether a mirror fits a machine, and what apt is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.mirror import Manifest, MirrorArchive, MirrorError, MirrorFile
from rdna1.mirror.installation import CheckedMirror, Installation, installation
from rdna1.plan.options import Options, Request
from rdna1.plan.pytorch import pytorch_plan
from rdna1.plan.rocm import rocm_plan
from rdna1.preflight.facts import Facts, load_facts
from rdna1.target.facts.collect import collect

FIXTURES = Path(__file__).parents[2] / "fixtures"
COPY = f"/var/cache/rdna1/mirror-{'a' * 32}"
PACKAGES = ["rocminfo", "rocm-smi"]
UBUNTU = MirrorArchive("archives/archive.ubuntu.com-ubuntu", "noble", ["main", "universe"], "")
AMD = MirrorArchive("archives/repo.radeon.com-rocm-apt-5.7.1", "jammy", ["main"], "keys/rocm.gpg")
FILES = [MirrorFile("keys/rocm.gpg", "b" * 64, 1), MirrorFile("wheels/torch.whl", "c" * 64, 1)]


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load_facts(collect(str(FIXTURES / "ubuntu-24.04-rx5700xt"), ["ann"]))


def planned(facts: Facts, mirror: dict[str, Any], **options: Any) -> Installation:
    """Return the installation from a mirror that differs in some fields from one that fits."""
    request = Request(Options(**{"rocm_source": "amd", **options}), facts)
    rocm, pytorch = rocm_plan(request), pytorch_plan(request)
    manifest = Manifest(
        **{
            "made_at": "2026-11-30T00:00:00Z",
            "stack": "rocm-5.7",
            "os": "ubuntu",
            "version": "24.04",
            "architecture": "amd64",
            "rocm_source": "amd",
            "pytorch_source": "index",
            "pytorch_channel": "",
            "packages": rocm.packages,
            "archives": [UBUNTU, AMD],
            "files": FILES,
            **mirror,
        }
    )
    checked = CheckedMirror("/srv/mirror", "/srv/mirror.tar", "/srv/mirror", "a" * 64, manifest)
    return installation(request, checked, rocm, pytorch)


def test_a_mirror_that_fits(facts: Facts) -> None:
    plan = planned(facts, {})
    assert (plan.folder, plan.tree) == (COPY, f"{COPY}/tree")
    assert plan.checksums == f"{'b' * 64}  keys/rocm.gpg\n{'c' * 64}  wheels/torch.whl\n"
    assert (plan.amd_key, plan.amd_keyring) == ("/srv/mirror/keys/rocm.gpg", f"{COPY}/rocm.gpg")
    assert f'Dir::Etc::SourceParts "{COPY}/sources";\n' in plan.configuration
    assert plan.sources == (
        "# Written by rdna1.\n"
        "Types: deb\n"
        f"URIs: file:{COPY}/tree/archives/archive.ubuntu.com-ubuntu\n"
        "Suites: noble\n"
        "Components: main universe\n"
        "Architectures: amd64\n"
        "Targets: Packages\n"
        "# The signature stays valid; how long the archive meant to have something newer does not "
        "matter.\n"
        "Check-Valid-Until: no\n"
        "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
        "\n"
        "Types: deb\n"
        f"URIs: file:{COPY}/tree/archives/repo.radeon.com-rocm-apt-5.7.1\n"
        "Suites: jammy\n"
        "Components: main\n"
        "Architectures: amd64\n"
        "Targets: Packages\n"
        "# The signature stays valid; how long the archive meant to have something newer does not "
        "matter.\n"
        "Check-Valid-Until: no\n"
        f"Signed-By: {COPY}/rocm.gpg\n"
        "\n"
    )


def test_amds_key_is_not_used_for_another_source(facts: Facts) -> None:
    plan = planned(facts, {"archives": [UBUNTU]}, rocm_source="none")
    assert plan.amd_key == ""


@pytest.mark.parametrize(
    ("mirror", "options", "message"),
    [
        ({"stack": "therock"}, {}, "is a mirror for therock on ubuntu 24.04, and this is rocm-5.7"),
        ({"version": "22.04"}, {}, "is a mirror for rocm-5.7 on ubuntu 22.04, and this is"),
        ({"rocm_source": "distro"}, {}, "collected with rdna1_rocm_source distro"),
        ({"pytorch_source": "distro"}, {}, "rdna1_pytorch_source distro and pytorch_channel ''"),
        ({"pytorch_channel": "nightly"}, {}, "this machine is to use amd, index and ''"),
        ({"packages": []}, {}, "was collected without rocm"),
        ({}, {"rocm_source": "none"}, "has archives/repo.radeon.com-rocm-apt-5.7.1 of AMD"),
    ],
)
def test_a_mirror_of_something_else_is_refused(
    mirror: dict[str, Any], options: dict[str, Any], message: str, facts: Facts
) -> None:
    with pytest.raises(MirrorError) as refusal:
        planned(facts, mirror, **options)
    assert message in str(refusal.value)
    assert "Remedy: " in str(refusal.value)


def test_what_the_action_registers_is_read_again(facts: Facts) -> None:
    request = Request(Options(), facts)
    for plan in (rocm_plan(request), pytorch_plan(request)):
        assert msgspec.convert({**msgspec.to_builtins(plan), "changed": False}, type(plan)) == plan


def test_no_key_has_the_name_of_a_method_of_dict(facts: Facts) -> None:
    # Jinja takes the method.
    rocm, pytorch = rocm_plan(Request(Options(), facts)), pytorch_plan(Request(Options(), facts))
    for plan in (planned(facts, {}), rocm, pytorch):
        assert [name for name in msgspec.to_builtins(plan) if hasattr(dict, name)] == []
