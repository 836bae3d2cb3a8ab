"""Stack files load, and a mistake in one is named by file, line and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rdna1.catalog.cards import card_list
from rdna1.catalog.repositories import distribution
from rdna1.catalog.stacks import (
    DEFAULT_STACK,
    MiopenProfileName,
    UnknownChannelError,
    UnknownStackError,
    load_stack,
    requested_packages,
    stack_folder,
    stack_names,
)
from rdna1.catalog.yaml_data import DataFileError


@pytest.mark.parametrize("name", stack_names())
def test_stack_loads_and_its_versions_parse(name: str) -> None:
    stack = load_stack(name)
    assert SpecifierSet(stack.pytorch.python)
    assert SpecifierSet(stack.pytorch.python).contains(stack.pytorch.managed_python)
    assert all(SpecifierSet(note.python) for note in stack.pytorch.notes)
    for target in stack.gfx_targets:
        for source in stack.sources(target):
            requires = [need.replace("=={version}", "==1") for need in source.requires]
            assert all(map(Requirement, [*requires, *source.build_requires]))
            assert "{" not in repr([requires, source.extras, [*source.environment.values()]])
        requirements = [Requirement(text) for text in stack.wheels(target)]
        assert requirements[0].name == "torch"
        assert stack.pytorch.depends_on_gfx_target == bool(requirements[0].extras)
    assert set(stack.gfx_targets) <= {chip.gfx_target for chip in card_list().chips}


@pytest.mark.parametrize("name", stack_names())
def test_every_release_names_a_source_that_has_packages_for_it(name: str) -> None:
    stack = load_stack(name)
    for release in stack.releases:
        if release.support != "refused" and release.rocm_source != "none":
            packages = stack.packages(release.rocm_source, release.os, release.version)
            assert packages
            assert packages.names()


def test_the_default_comes_first() -> None:
    assert stack_names()[0] == DEFAULT_STACK


def test_therock_takes_the_wheels_of_the_card_and_sets_no_override() -> None:
    stack = load_stack("therock")
    assert stack.wheels("gfx1012")[:2] == [
        "torch[device-gfx1012]==2.12.0+rocm10.1.0",
        "torchvision[device-gfx1012]==0.27.0+rocm10.1.0",
    ]
    (rocm,) = stack.sources("gfx1012")
    assert rocm.environment == {"ROCM_SDK_TARGET_FAMILY": "gfx1012"}
    assert 'rocm-sdk-device-gfx1012=={version}; extra == "device-gfx1012"' in rocm.requires
    assert {str(extra) for extra in rocm.extras} == {"libraries", "devel", "device-gfx1012"}
    assert stack.is_native
    assert stack.environment.variables == {"AMDGCN_USE_BUFFER_OPS": "0"}
    assert list(stack.environment.unset) == ["HSA_OVERRIDE_GFX_VERSION"]
    others = [load_stack(name) for name in stack_names() if name != "therock"]
    named = {(r.os, r.version) for other in others for r in other.releases}
    # Its wheels need glibc 2.28 alone.
    assert {(r.os, r.version) for r in stack.releases} == named | {("ubuntu", "26.10")}
    assert {(r.support, r.rocm_source) for r in stack.releases} == {("community", "none")}


def test_another_channel_has_other_wheels_from_another_index() -> None:
    stack = load_stack("therock")
    assert stack.of_channel("") is stack
    nightly = stack.of_channel("nightly")
    assert nightly.wheels("gfx1010")[0] == "torch[device-gfx1010]"
    assert nightly.pytorch.index_url == "https://nightly.repo.amd.com/rocm/whl-next/"
    assert nightly.sources("gfx1010") == stack.sources("gfx1010")
    with pytest.raises(UnknownChannelError, match=r"'weekly'\. Remedy: .*: nightly"):
        stack.of_channel("weekly")


@pytest.mark.parametrize(("python", "notes"), [("3.11.9", 0), ("3.12", 1), ("3.12.3", 1)])
def test_no_triton_on_python_3_12_is_said(python: str, notes: int) -> None:
    found = load_stack("rocm-5.7").pytorch.notes_on(python)
    assert len(found) == notes
    assert all("no triton" in note for note in found)


def test_rocm_5_2_is_refused_on_ubuntu_24_04_with_its_reasons() -> None:
    release = load_stack("rocm-5.2").release("ubuntu", "24.04")
    assert release is not None
    assert release.support == "refused"
    reasons = " ".join(release.reasons)
    for word in ("libtinfo5", "libncurses5", "libstdc++-5-dev", "glibc is 2.39"):
        assert word in reasons


def test_an_unknown_stack_suggests_the_near_one() -> None:
    with pytest.raises(UnknownStackError, match=r"'rocm-57'.*did you mean rocm-5\.7\?"):
        load_stack("rocm-57")


MISTAKES = {
    "a wrong word": ("support: supported", "support: suported", "releases[0].support"),
    "an unknown key": ("disk_gib:", "disk_gb:", "disk_gb"),
    "a wrong type": ("environment: 15", "environment: lots", "disk_gib.environment"),
    "no version of a kernel": ('newest_seen: "6', 'newest_seen: "v6', "kernel.newest_seen"),
    "a plain-text index": ("index_url: https", "index_url: http", "pytorch.index_url"),
    "a forbidden variable": ("HSA_ENABLE_SDMA:", "MIOPEN_FIND_ENFORCE:", "environment"),
    "a value that is not a string": ('HSA_ENABLE_SDMA: "0"', "HSA_ENABLE_SDMA: 0", "variables"),
    "another name": ("name: rocm-5.7", "name: rocm-5.8", "name"),
    "a refusal without a way out": ("support: community", "support: refused", "releases[1]"),
    "switch without effect": (
        'MIOPEN_DEBUG_CONV_DIRECT: "0"',
        'MIOPEN_DEBUG_CONV_DIRECT: "1"',
        "miopen_profiles",
    ),
}


@pytest.mark.parametrize(("old", "new", "key"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_by_file_line_and_key(
    old: str, new: str, key: str, tmp_path: Path
) -> None:
    text = (stack_folder() / "rocm-5.7.yml").read_text()
    assert old in text
    file = tmp_path / "rocm-5.7.yml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError) as caught:
        load_stack("rocm-5.7", tmp_path)
    found = re.fullmatch(r"(?P<file>.+?):(?P<line>\d+): (?P<key>\S+): .+", str(caught.value))
    assert found, str(caught.value)
    assert found["file"] == str(file)
    assert key in found["key"]
    wrong = text[: text.index(old)].count("\n") + 1
    assert 0 <= wrong - int(found["line"]) <= 10, "the line must be in the entry with the mistake"


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'title: "open', "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"title: \x07", "not YAML: .*characters"),
        (b"", "Expected `object`"),
        (b"- a list", "Expected `object`"),
    ],
)
def test_a_file_that_is_no_stack(content: bytes, cause: str, tmp_path: Path) -> None:
    (tmp_path / "rocm-5.7.yml").write_bytes(content)
    with pytest.raises(DataFileError, match=cause):
        load_stack("rocm-5.7", tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="No such file"):
        load_stack("rocm-5.7", tmp_path)


def test_cards_are_found_by_vendor_and_device() -> None:
    found = card_list().find("1002", "731f")
    assert found is not None
    assert found[0].gfx_target == "gfx1010"


@pytest.mark.parametrize("device", ["7314", "ab38", "1478", "1479", "73bf"])
def test_other_functions_and_cards_are_not_rdna1(device: str) -> None:
    assert card_list().find("1002", device) is None


def test_another_vendor_is_not_rdna1() -> None:
    assert card_list().find("10de", "731f") is None


def test_what_miopen_may_use_is_named_by_profile() -> None:
    stack = load_stack("rocm-5.7")
    assert stack.algorithms("implicit-gemm").startswith("implicit GEMM only")
    assert stack.algorithms("default") == stack.algorithms("explicit-gemm")
    assert load_stack("rocm-5.2").algorithms("default") == "all that MIOpen has"


@pytest.mark.parametrize("left", ["explicit-gemm", "implicit-gemm"])
def test_a_profile_leaves_the_family_of_its_name(left: MiopenProfileName) -> None:
    families = {"DIRECT", "FFT", "GEMM", "IMPLICIT_GEMM", "WINOGRAD"}
    variables = load_stack("rocm-5.7").miopen_profiles[left].variables
    switch = "MIOPEN_DEBUG_CONV_"
    off = {name.removeprefix(switch) for name in variables if name.startswith(switch)}
    # Without it no implicit GEMM solver is looked at, and no algorithm is left.
    assert variables.get("MIOPEN_FIND_MODE") == ("1" if left == "implicit-gemm" else None)
    assert families - off == {"GEMM" if left == "explicit-gemm" else "IMPLICIT_GEMM"}


def test_distributions_package_what_the_project_imports() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    imported = {Requirement(text).name.lower() for text in project["dependencies"]}
    # Debian names a package after the module.
    modules = {name.replace("pyyaml", "yaml") for name in imported}
    assert {f"python3-{name}" for name in modules} == set(distribution().own_requirements)
    assert set(distribution().own_requirements) <= set(requested_packages())
