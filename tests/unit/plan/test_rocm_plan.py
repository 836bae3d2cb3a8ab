"""ROCm's part of the plan: stacks, releases and options, and what is refused."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import msgspec
import pytest

from rdna1.catalog.repositories import amd_repository
from rdna1.catalog.stacks import RocmSource, load_stack, stack_names
from rdna1.plan.options import ROOT, Options, PlanError, Request
from rdna1.plan.rocm import rocm_plan
from rdna1.preflight.apt_facts import Key, Keyring, Pin, Source, Unfinished
from rdna1.preflight.facts import Amdgpu, RocmPart, load_facts
from rdna1.target.facts.collect import collect
from unit.plan.conftest import FIXTURES, Ask

NOBLE, JAMMY, FOCAL, TRIXIE = "ubuntu 24.04", "ubuntu 22.04", "ubuntu 20.04", "debian 13"
HEADERS = "linux-headers-5.15.0-100-generic"


class Row(NamedTuple):
    name: str
    release: str
    options: dict[str, Any]
    source: str
    packages: list[str]


def of_stack(stack: str, source: RocmSource, release: str, *purposes: str) -> list[str]:
    os, version = release.split()
    found = load_stack(stack).packages(source, os, version)
    assert found
    return [name for purpose in purposes for name in found.packages[purpose]]  # type: ignore[index]


DEFAULT = ("tools", "runtime")
ALL = (*DEFAULT, "sdk", "libraries")
ROWS = [
    Row("default", NOBLE, {}, "distro", of_stack("rocm-5.7", "distro", NOBLE, *DEFAULT)),
    Row("Debian", TRIXIE, {}, "distro", of_stack("rocm-5.7", "distro", TRIXIE, *DEFAULT)),
    Row("jammy", JAMMY, {}, "amd", of_stack("rocm-5.7", "amd", JAMMY, *DEFAULT)),
    Row("focal", FOCAL, {}, "amd", of_stack("rocm-5.7", "amd", FOCAL, *DEFAULT)),
    Row(
        "AMD's on noble",
        NOBLE,
        {"rocm_source": "amd"},
        "amd",
        of_stack("rocm-5.7", "amd", NOBLE, *DEFAULT),
    ),
    Row(
        "all purposes",
        NOBLE,
        {"rocm_source": "amd", "rocm_packages": [*ALL]},
        "amd",
        of_stack("rocm-5.7", "amd", NOBLE, *ALL),
    ),
    # The release has the tools alone.
    Row(
        "5.2 on jammy",
        JAMMY,
        {"stack": "rocm-5.2"},
        "amd",
        of_stack("rocm-5.2", "amd", JAMMY, "tools"),
    ),
    Row("none", NOBLE, {"rocm_source": "none"}, "none", []),
    Row(
        "none, purposes all the same",
        NOBLE,
        {"rocm_source": "none", "rocm_packages": ["sdk"]},
        "none",
        [],
    ),
    Row("wheels alone", NOBLE, {"stack": "therock"}, "none", []),
    Row("release of another stack", "debian 11", {}, "none", []),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_source_and_packages(row: Row, ask: Ask) -> None:
    plan = rocm_plan(ask(row.release, **row.options))
    assert (plan.source, plan.packages, plan.transaction) == (
        row.source,
        row.packages,
        row.packages,
    )
    assert (plan.amd is not None) == (row.source == "amd")


@pytest.mark.parametrize("stack", stack_names())
@pytest.mark.parametrize("source", ["", *get_args(RocmSource)])
def test_every_stack_and_release_has_a_plan_or_a_remedy(stack: str, source: str, ask: Ask) -> None:
    for release in load_stack(stack).releases:
        request = ask(f"{release.os} {release.version}", stack=stack, rocm_source=source)
        try:
            plan = rocm_plan(request)
        except PlanError as error:
            assert "Remedy: " in str(error), release
            assert request.stack.packages(source, release.os, release.version) is None  # type: ignore[arg-type]
        else:
            assert plan.source == (source or release.rocm_source), release
            assert bool(plan.packages) == (plan.source != "none"), release


class Refusal(NamedTuple):
    name: str
    release: str
    options: dict[str, Any]
    words: tuple[str, ...]


REFUSALS = [
    Refusal(
        "source that the release does not have",
        JAMMY,
        {"rocm_source": "distro"},
        (
            "has no packages from the source distro on ubuntu 22.04",
            "Remedy: leave rocm_source empty, or set it to none",
        ),
    ),
    Refusal(
        "purposes that the release does not have",
        JAMMY,
        {"stack": "rocm-5.2", "rocm_packages": ["tools", "sdk"]},
        ("has no packages for sdk on ubuntu 22.04",),
    ),
    Refusal(
        "runtime that the release does not have",
        JAMMY,
        {"stack": "rocm-5.2", "rocm_source": "amd", "rocm_packages": ["tools", "runtime"]},
        (
            "has no packages for runtime on ubuntu 22.04. The HIP runtime needs rocm-llvm",
            "libstdc++-5-dev or libstdc++-7-dev",
            "Remedy: choose from tools in rocm_packages",
        ),
    ),
    Refusal(
        "driver of another source", TRIXIE, {"rocm_dkms": True}, ("the source here is distro",)
    ),
    Refusal(
        "driver on another release",
        NOBLE,
        {"rocm_source": "amd", "rocm_dkms": True},
        (
            "not known to build on ubuntu 24.04. Remedy: leave rocm_dkms out, ",
            "the kernel's own driver serves the card",
        ),
    ),
    Refusal(
        "driver on another kernel",
        JAMMY,
        {"rocm_dkms": True},
        (
            "is for the kernels 5.19 to 6.2, and 5.15.0-100-generic runs",
            "Remedy: leave rocm_dkms out",
        ),
    ),
    Refusal(
        "address that apt cannot use",
        JAMMY,
        {"rocm_amd_url": "ftp://mirror.example"},
        ("rocm_amd_url is not an address",),
    ),
    Refusal(
        "address with a second line",
        JAMMY,
        {"rocm_amd_url": "https://mirror.example\nSigned-By: /dev/null"},
        ("rocm_amd_url is not an address",),
    ),
    Refusal(
        "key file that is not there",
        JAMMY,
        {"rocm_amd_key_file": "/nowhere/rocm.gpg"},
        ("rocm_amd_key_file is /nowhere/rocm.gpg, and there is no such file",),
    ),
]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
def test_a_refusal_names_its_remedy(row: Refusal, ask: Ask) -> None:
    request = ask(row.release, **row.options)
    kernel = msgspec.structs.replace(request.facts.kernel, release="5.15.0-100-generic")
    facts = msgspec.structs.replace(request.facts, kernel=kernel)
    with pytest.raises(PlanError) as refusal:
        rocm_plan(request._replace(facts=facts))
    assert [words for words in row.words if words not in str(refusal.value)] == []
    assert "Remedy: " in str(refusal.value)


def test_amds_driver_is_refused_for_the_kernel_that_a_machine_runs() -> None:
    facts = load_facts(collect(str(FIXTURES / "ubuntu-22.04-rx5500xt"), []))
    with pytest.raises(PlanError) as refusal:
        rocm_plan(Request(Options(rocm_dkms=True), facts, ROOT))
    said = str(refusal.value)
    assert "is for the kernels 5.19 to 6.2, and 5.15.0-122-generic runs" in said
    assert "leave rocm_dkms out" in said


def test_a_release_that_is_not_known_is_refused(ask: Ask) -> None:
    request = ask()
    facts = msgspec.structs.replace(request.facts, os=None)
    with pytest.raises(PlanError, match="os-release cannot be read"):
        rocm_plan(request._replace(facts=facts))


def test_amds_driver_comes_with_the_headers_of_the_running_kernel(ask: Ask) -> None:
    request = ask(FOCAL, rocm_dkms=True)
    kernel = msgspec.structs.replace(request.facts.kernel, release="5.15.0-100-generic")
    plan = rocm_plan(request._replace(facts=msgspec.structs.replace(request.facts, kernel=kernel)))
    assert plan.packages[-2:] == ["amdgpu-dkms", HEADERS]
    assert plan.amd
    driver = plan.amd.files.sources[1]
    assert driver.path == "/etc/apt/sources.list.d/amdgpu.sources"
    assert "URIs: https://repo.radeon.com/amdgpu/5.7.1/ubuntu\nSuites: focal\n" in driver.content


def test_what_is_missing_is_what_is_not_installed_and_configured(ask: Ask) -> None:
    tools, *others = of_stack("rocm-5.7", "distro", NOBLE, *DEFAULT)
    there = dict.fromkeys([tools, *others], "1")
    assert rocm_plan(ask(apt={"packages": there})).missing == []
    half = {"packages": there, "half_configured": [tools]}
    plan = rocm_plan(ask(apt=half))
    assert (plan.missing, plan.repair) == ([tools], True)
    more = rocm_plan(ask(apt={"packages": there}, rocm_more_packages=["python3-torch", tools]))
    assert more.missing == ["python3-torch"]
    assert rocm_plan(ask(apt={"packages": None})).missing == [tools, *others]


def test_packages_that_are_replaced_are_missing_then(ask: Ask) -> None:
    parts = [
        RocmPart("distro", "rocminfo", "5.7.1-3build1"),
        RocmPart("amd", "hip-runtime-amd", "5.7.31921.50701-98~22.04"),
        RocmPart("amd", "rocm-core", "6.0.0.60000-91~22.04"),
        RocmPart("folder", "/opt/rocm-5.4", "5.4"),
    ]
    asked: dict[str, Any] = {"rocm_source": "amd", "machine": {"rocm": parts}}
    asked["apt"] = {"packages": {"rocminfo": "1", "rocm-core": "1"}}
    stays, goes = rocm_plan(ask(**asked)), rocm_plan(ask(**asked, rocm_replace=True))
    assert stays.others == goes.others == ["rocminfo", "rocm-core"]
    assert set(goes.missing) - set(stays.missing) <= {"rocminfo", "rocm-core"}
    assert "rocminfo" in goes.missing


@pytest.mark.parametrize(
    ("apt", "repair", "broken"),
    [
        ({}, False, []),
        ({"dpkg_journal": 1}, True, []),
        (
            {
                "half_configured": ["a"],
                "unfinished": [
                    Unfinished("a", "1", "install", "ok", "half-configured"),
                    Unfinished("b", "1", "install", "reinstreq", "half-installed"),
                ],
            },
            True,
            ["b"],
        ),
    ],
    ids=["nothing", "journal", "half configured"],
)
def test_what_dpkg_has_to_finish(
    apt: dict[str, Any], repair: bool, broken: list[str], ask: Ask
) -> None:
    plan = rocm_plan(ask(apt=apt))
    assert (plan.repair, plan.broken) == (repair, broken)


@pytest.mark.parametrize(
    ("loaded", "blacklisted", "file"),
    [
        (False, [], "/etc/modules-load.d/rdna1-amdgpu.conf"),
        (False, ["/etc/modprobe.d/no.conf:1"], ""),
        (False, None, ""),
        (True, [], ""),
        (None, [], ""),
    ],
)
def test_the_driver_is_named_for_the_next_boot_where_nobody_forbade_it(
    loaded: bool | None, blacklisted: list[str] | None, file: str, ask: Ask
) -> None:
    amdgpu = Amdgpu(loaded=loaded, blacklisted=blacklisted)
    assert rocm_plan(ask(machine={"amdgpu": amdgpu})).modules_file == file
    assert rocm_plan(ask(machine={"amdgpu": amdgpu, "displays": []})).modules_file == ""


SOURCE = """\
# Written by rdna1.
Types: deb
URIs: {url}/rocm/apt/5.7.1
Suites: jammy
Components: main
Architectures: amd64
Signed-By: {keyring}
"""


def test_amds_repository_of_a_mirror(ask: Ask) -> None:
    url, amd = "https://mirror.example/amd", amd_repository()
    plan = rocm_plan(ask(JAMMY, rocm_amd_url=f"{url}//", rocm_amd_key_fingerprint="ca8b b472")).amd
    assert plan
    assert plan.files.key.url == f"{url}/rocm/rocm.gpg.key"
    assert (plan.files.key.path, plan.files.key.fingerprint) == (amd.keyring, "CA8BB472")
    assert plan.files.pin.path == amd.pin.file
    assert [(file.path, file.content) for file in plan.files.sources] == [
        (amd.sources_file, SOURCE.format(url=url, keyring=amd.keyring))
    ]
    assert plan.lists == "*_rocm_apt_5.7.1_dists_jammy_*Release"
    folder = "/var/cache/rdna1/excerpt"
    assert plan.collected.key.path == f"{folder}/rocm.gpg"
    assert plan.collected.pin.path == f"{folder}/preferences/rocm-pin-600"
    assert plan.collected.pin.content == plan.files.pin.content
    assert [(file.path, file.content) for file in plan.collected.sources] == [
        (
            f"{folder}/sources/rocm.sources",
            SOURCE.format(url=url, keyring=f"{folder}/rocm.gpg"),
        )
    ]
    assert plan.own == [
        f"{folder}/preferences/rocm-pin-600",
        f"{folder}/sources/rocm.sources",
        f"{folder}/sources/amdgpu.sources",
    ]


def test_a_key_file_is_read_and_no_key_fetched(ask: Ask, tmp_path: Any) -> None:
    file = tmp_path / "rocm.gpg"
    file.write_bytes(b"a key")
    plan = rocm_plan(ask(JAMMY, rocm_amd_key_file=str(file))).amd
    assert plan and (plan.files.key.file, plan.files.key.url) == (str(file), "")
    assert plan.files.key.fingerprint == amd_repository().fingerprint


def source_of_amd(file: str) -> Source:
    uris = ["https://repo.radeon.com/rocm/apt/5.2"]
    return Source(file, 1, ["deb"], uris, ["ubuntu"], ["main"], [], trusted=False, enabled=True)


def test_what_others_wrote_for_amds_repository_is_replaced(ask: Ask) -> None:
    key = Key(amd_repository().fingerprint, None, expired=False, revoked=False, sha1=False)
    trusted = Keyring("/etc/apt/trusted.gpg.d/rocm.gpg", exists=True, for_all=True, keys=[key])
    apt = {
        "sources": [
            source_of_amd("/etc/apt/sources.list"),
            source_of_amd("/etc/apt/sources.list.d/amd.list"),
        ],
        "keyrings": [trusted],
    }
    plan = rocm_plan(ask(JAMMY, apt=apt)).amd
    assert plan and plan.migration
    found = plan.migration.leftovers
    assert (found.files, found.mixed, found.keyrings) == (
        ["/etc/apt/sources.list.d/amd.list"],
        ["/etc/apt/sources.list"],
        [trusted.path],
    )
    nothing = rocm_plan(ask(JAMMY, apt={"sources": [], "keyrings": []})).amd
    assert nothing and nothing.migration is None


def test_a_file_with_other_sources_in_deb822_form_is_refused(ask: Ask) -> None:
    mixed = "/etc/apt/sources.list.d/all.sources"
    other = Source(
        mixed, 9, ["deb"], ["http://a.example"], ["x"], ["main"], [], trusted=False, enabled=True
    )
    with pytest.raises(
        PlanError, match=r"all\.sources names AMD's repository together with others"
    ):
        rocm_plan(ask(JAMMY, apt={"sources": [source_of_amd(mixed), other]}))


@pytest.mark.parametrize("others_use_the_key", [False, True])
def test_what_is_left_of_amds_repository_goes_with_its_key(
    others_use_the_key: bool, ask: Ask
) -> None:
    amd = amd_repository()
    own = msgspec.structs.replace(source_of_amd(amd.sources_file), signed_by=[amd.keyring])
    other = msgspec.structs.replace(
        source_of_amd("/etc/apt/sources.list.d/x.sources"),
        signed_by=[amd.keyring] if others_use_the_key else [],
    )
    pins = [Pin(amd.pin.file, 1, ["*"], "release o=repo.radeon.com", 600)]
    plan = rocm_plan(ask(apt={"sources": [own, other], "pins": pins})).abandoned
    assert plan
    assert plan.paths == sorted([amd.pin.file, amd.sources_file])
    assert (plan.source, plan.keyring) == (
        amd.sources_file,
        "" if others_use_the_key else amd.keyring,
    )
    assert rocm_plan(ask(apt={"sources": [], "pins": []})).abandoned is None
    assert rocm_plan(ask(JAMMY, apt={"sources": [own], "pins": pins})).abandoned is None
