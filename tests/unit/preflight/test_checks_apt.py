"""The checks of apt and of AMD's repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdna1.catalog.repositories import amd_repository, distribution
from rdna1.catalog.stacks import load_stack
from support.apt_facts import AMD, FINGERPRINT, KEYRING, keyring, source
from support.findings import UNREAD, Row, assert_row, unknown

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

OTHER_FINGERPRINT = "F6ECB3762474EDA9D21B7022871920D1991BC93C"
UBUNTU = "http://archive.ubuntu.com/ubuntu"
OTHER_SPACED = "F6EC B376 2474 EDA9 D21B 7022 8719 20D1 991B C93C"
OWN_FILE = amd_repository().sources_file
WHEEL = {"rocm_source": "none"}
FROM_AMD = {"rocm_source": "amd"}
# As people write it down.
OWN_MIRROR = {
    **FROM_AMD,
    "mirror_fingerprint": "f6ec b376 2474 eda9 d21b  7022 8719 20d1 991b c93c",
}
MIRROR = "https://mirror.example/rocm/apt/5.7.1"
DISTRO_PYTORCH = {"pytorch_source": "distro"}


def sources(*entries: dict[str, object]) -> dict[str, object]:
    return {"apt.sources": list(entries)}


def keys(*keyrings: dict[str, object], **of_source: tuple[str, ...]) -> dict[str, object]:
    entry = source(**of_source)  # type: ignore[arg-type]
    return {**sources(entry), "apt.keyrings": list(keyrings)}


def two_keys(**details: bool) -> dict[str, object]:
    """A keyring that holds AMD's key and another one."""
    ring = keyring(**details)  # type: ignore[arg-type]
    return {**ring, "keys": [*ring["keys"], *keyring(OTHER_FINGERPRINT)["keys"]]}  # type: ignore[misc]


def candidates(**found: tuple[str, str] | None) -> dict[str, object]:
    rocm = ("libamdhip64-5", "rocm-smi", "rocminfo")
    every = [*rocm, "python3-torch", *distribution().own_requirements]
    usual = dict.fromkeys(every, ("5.7.1", f"{UBUNTU} noble/universe amd64 Packages"))
    named = {name.replace("_", "-"): value for name, value in found.items()}
    return {
        "apt.candidates": {
            name: value and {"version": value[0], "origins": [value[1]]}
            for name, value in {**usual, **named}.items()
        }
    }


def offered(*names: str) -> dict[str, object]:
    """What apt says about the names that rocm-5.2 depends on when it has only these."""
    every = [name for each in load_stack("rocm-5.2").amd_dependencies for name in each.any_of]
    found = {"version": "1", "origins": []}
    return {"apt.candidates": {name: found if name in names else None for name in every}}


def pin(
    priority: int, text: str = "release o=repo.radeon.com", *packages: str
) -> dict[str, object]:
    return {
        "apt.pins": [
            {
                "file": "/etc/apt/preferences.d/rocm-pin-600",
                "line": 1,
                "packages": list(packages or ("*",)),
                "pin": text,
                "priority": priority,
            }
        ]
    }


def proxy(*values: str, name: str = "Acquire::http::Proxy") -> dict[str, object]:
    return {
        "apt.proxies": [
            {"name": name, "value": value, "file": f"/etc/apt/apt.conf.d/{i}proxy", "line": 3}
            for i, value in enumerate(values)
        ]
    }


def release(os_id: str, version: str | None, codename: str | None) -> dict[str, object]:
    return {
        "os": {
            "id": os_id,
            "version_id": version,
            "codename": codename,
            "pretty_name": f"{os_id} {version}",
            "id_like": [],
        }
    }


JAMMY = release("ubuntu", "22.04", "jammy")
TRIXIE = release("debian", "13", "trixie")
AMD_ROCMINFO = ("1.0.0.50701-98~22.04", f"{AMD}5.7.1 jammy/main amd64 Packages")
NO_CANDIDATES = unknown("apt.candidates")
EMBEDDED = "/etc/apt/sources.list.d/rocm.list:1"
EMBEDDED_TOO = "/etc/apt/sources.list.d/rocm.list:2"

ROWS = [
    Row("signed-by", "right", {}, "pass", ("no archive",)),
    Row(
        "signed-by",
        "two files",
        sources(source(), source(f"{AMD}5.7.1/", line=2, signed_by=())),
        "fail",
        (f"rocm.list:1: {AMD}5.7.1 noble signed by {KEYRING}", "rocm.list:2", "any key", "Remove"),
    ),
    Row(
        "signed-by",
        "two files on Debian 13",
        {**sources(source(), source(line=2, signed_by=())), **TRIXIE},
        "warn",
        ("a key and none", "rocm.list:2", "Remove"),
    ),
    Row(
        "signed-by",
        "two keys on Debian 13",
        {**sources(source(), source(line=2, signed_by=("/b.gpg",))), **TRIXIE},
        "fail",
        ("signed by /b.gpg",),
    ),
    Row(
        "signed-by",
        "same key twice",
        sources(source(), source(line=2)),
        "pass",
        ("no archive",),
    ),
    Row(
        "signed-by",
        "the other is disabled",
        sources(source(), source(line=2, signed_by=(), enabled=False)),
        "pass",
        (),
    ),
    Row(
        "signed-by",
        "other suite",
        sources(source(), source(suite="jammy", line=2, signed_by=())),
        "pass",
        (),
    ),
    Row(
        "signed-by",
        "the same key within two entries",
        {
            **sources(source(signed_by=(EMBEDDED,)), source(line=2, signed_by=(EMBEDDED_TOO,))),
            "apt.keyrings": [keyring(path=EMBEDDED), keyring(path=EMBEDDED_TOO)],
        },
        "pass",
        (),
    ),
    Row(
        "signed-by",
        "a file unknown",
        {"unknown.apt.sources./etc/apt/sources.list": "/etc/apt/sources.list: Permission denied"},
        "pass",
        ("not read: /etc/apt/sources.list",),
    ),
    Row("signed-by", "unknown", unknown("apt.sources"), "skip", (UNREAD,)),
    Row(
        "candidates", "right", candidates(), "pass", ("libamdhip64-5, rocm-smi, rocminfo", "5.7.1")
    ),
    Row("candidates", "wheel only", NO_CANDIDATES, "pass", ("no package",), options=WHEEL),
    Row(
        "candidates",
        "no universe",
        {**candidates(rocminfo=None), **sources(source(UBUNTU))},
        "fail",
        ("rocminfo: no candidate", "add-apt-repository universe"),
    ),
    Row(
        "candidates",
        "universe is enabled",
        candidates(rocminfo=None, rocm_smi=None),
        "fail",
        ("rocm-smi, rocminfo", "As root: apt update"),
    ),
    Row(
        "candidates",
        "of AMD",
        candidates(rocminfo=AMD_ROCMINFO),
        "fail",
        ("rocminfo from AMD", f"rocminfo {AMD_ROCMINFO[0]}: {AMD}", "Disable"),
    ),
    Row(
        "candidates",
        "of AMD, whose source is ours",
        {**candidates(rocminfo=AMD_ROCMINFO), **sources(source(file=OWN_FILE))},
        "warn",
        ("rocminfo from AMD", "removes its own source"),
    ),
    Row(
        "candidates",
        "PyTorch of the distribution",
        candidates(python3_torch=None),
        "fail",
        ("python3-torch: no candidate",),
        options=DISTRO_PYTORCH,
    ),
    Row(
        "candidates",
        "a release without what its PyTorch needs",
        candidates(python3_msgspec=None),
        "fail",
        ("python3-msgspec: no candidate", "rdna1_pytorch_source empty", "or Debian 13 does"),
        options=DISTRO_PYTORCH,
    ),
    Row(
        "candidates",
        "a release that has it",
        {
            **candidates(python3_msgspec=None),
            "os": {
                **dict.fromkeys(("codename", "pretty_name"), "trixie"),
                "id": "debian",
                "version_id": "13",
                "id_like": [],
            },
        },
        "fail",
        ("python3-msgspec: no candidate", "As root: apt update"),
        options=DISTRO_PYTORCH,
    ),
    Row("candidates", "unknown", NO_CANDIDATES, "skip", (UNREAD,)),
    Row(
        "candidates",
        "not asked is unknown",
        {"apt.candidates": {}},
        "skip",
        ("do not hold apt.candidates.libamdhip64-5",),
    ),
    Row("held-packages", "none", {}, "pass", ("no package",)),
    Row("held-packages", "another", {"apt.held": ["linux-generic"]}, "pass", ()),
    Row(
        "held-packages",
        "of the stack",
        {"apt.held": ["linux-generic", "rocminfo"]},
        "warn",
        ("held at their version: rocminfo", "apt-mark unhold rocminfo"),
    ),
    Row(
        "held-packages",
        "installed ROCm",
        {
            "apt.held": ["rocm-core"],
            "rocm": [{"source": "amd", "name": "rocm-core", "version": "5.7.1.50701-98~22.04"}],
        },
        "warn",
        ("apt-mark unhold rocm-core",),
        options=WHEEL,
    ),
    Row("held-packages", "unknown", unknown("apt.held"), "skip", (UNREAD,)),
    Row("amd-dependencies", "none named", NO_CANDIDATES, "pass", ("rocm-5.7 needs nothing",)),
    Row(
        "amd-dependencies",
        "noble",
        offered(),
        "fail",
        (
            "comgr and rocm-gdb: no candidate for libtinfo5",
            "rocm-gdb: no candidate for libncurses5",
            "rocm-llvm: no candidate for libstdc++-5-dev or libstdc++-7-dev",
            "Use the stack rocm-5.7",
        ),
        "rocm-5.2",
    ),
    Row(
        "amd-dependencies",
        "focal",
        offered(
            *("libtinfo5", "libncurses5", "libpython3.8", "libstdc++-7-dev", "libgcc-7-dev"),
            "python-is-python2",
        ),
        "pass",
        ("apt has what",),
        "rocm-5.2",
    ),
    Row(
        "amd-dependencies",
        "jammy",
        {**offered("libtinfo5", "libncurses5"), **JAMMY},
        "pass",
        ("rocm-llvm: no candidate", "the PyTorch wheel brings its own"),
        "rocm-5.2",
    ),
    Row(
        "amd-dependencies",
        "no release of the stack",
        {**offered(), **TRIXIE},
        "fail",
        ("do not add the sources of an older release",),
        "rocm-5.2",
    ),
    Row("amd-dependencies", "unknown", NO_CANDIDATES, "skip", (UNREAD,), "rocm-5.2"),
    Row("apt-proxy", "none", {}, "pass", ("no proxy",)),
    Row(
        "apt-proxy",
        "one",
        proxy("http://proxy.example:3128/"),
        "pass",
        ("/etc/apt/apt.conf.d/0proxy:3: Acquire::http::Proxy 'http://proxy.ex", "https_proxy"),
    ),
    Row("apt-proxy", "direct", proxy("DIRECT", name="Acquire::http::Proxy::host"), "pass", ()),
    Row(
        "apt-proxy",
        "a program finds it",
        proxy("/usr/bin/auto-apt-proxy", name="Acquire::http::Proxy-Auto-Detect"),
        "pass",
        ("auto-apt-proxy",),
    ),
    Row("apt-proxy", "no address", proxy("proxy:3128"), "warn", ("'proxy:3128' is not", "http://")),
    Row("apt-proxy", "two", proxy("http://a/", "http://b/"), "warn", ("different", "1proxy:3")),
    Row("apt-proxy", "unknown", unknown("apt.proxies"), "skip", (UNREAD,)),
    Row("pep668", "closed", {}, "pass", ("/usr/lib/python3.12/EXTERNALLY-MANAGED",)),
    Row("pep668", "too old", {"externally_managed": [], **JAMMY}, "pass", ("no marker",)),
    Row(
        "pep668",
        "other system",
        {"externally_managed": [], **release("fedora", "41", None)},
        "pass",
        ("no marker",),
    ),
    Row(
        "pep668",
        "no version",
        {"externally_managed": [], **release("debian", None, "sid")},
        "pass",
        ("no marker",),
    ),
    Row("pep668", "removed", {"externally_managed": [], **TRIXIE}, "warn", ("gone", "debian 13")),
    Row("pep668", "unknown", unknown("externally_managed"), "skip", (UNREAD,)),
    Row("amd-source", "none", {}, "pass", ("no source of AMD",)),
    Row("amd-source", "one", sources(source()), "pass", ("5.7.1 alone", AMD), options=WHEEL),
    Row(
        "amd-source", "left over", sources(source()), "warn", ("rocm.list:1", "Disable it in /etc")
    ),
    Row("amd-source", "disabled", sources(source(enabled=False)), "pass", ("no source of AMD",)),
    Row("amd-source", "source packages", sources(source(kind="deb-src")), "pass", ()),
    Row(
        "amd-source",
        "a mirror",
        sources(source("http://mirror.example/rocm/apt/5.7.1")),
        "warn",
        ("mirror.example",),
    ),
    Row(
        "amd-source",
        "two versions",
        sources(source(), source(f"{AMD}6.2/", line=2)),
        "fail",
        ("5.7.1, 6.2", "rocm.list:2", "Keep one"),
        options=WHEEL,
    ),
    Row(
        "amd-source",
        "of the driver",
        sources(source("https://repo.radeon.com/amdgpu/5.7.1/ubuntu", "jammy")),
        "pass",
        (),
    ),
    Row(
        "amd-source",
        "a file unknown",
        {"apt.sources": [], "unknown.apt.sources./etc/apt/sources.list": "/x: Permission denied"},
        "skip",
        (UNREAD,),
    ),
    Row("amd-source", "unknown", unknown("apt.sources"), "skip", (UNREAD,)),
    Row("amd-suite", "none", {}, "pass", ("no source",)),
    Row("amd-suite", "right", {**sources(source(suite="jammy")), **JAMMY}, "pass", ("jammy",)),
    Row("amd-suite", "noble", sources(source()), "fail", ("noble begins with ROCm 6.2", "Remove")),
    Row("amd-suite", "noble of 6.2", sources(source(f"{AMD}6.2/")), "pass", ("noble",)),
    Row("amd-suite", "latest", sources(source(f"{AMD}latest")), "pass", ("latest",)),
    Row(
        "amd-suite",
        "ubuntu of 5.7",
        sources(source(suite="ubuntu")),
        "fail",
        ("focal and jammy for ROCm 5.7.1, not ubuntu",),
    ),
    Row(
        "amd-suite",
        "ubuntu of 5.2",
        sources(source(f"{AMD}5.2", "ubuntu")),
        "warn",
        ("ubuntu was seen in scripts",),
    ),
    Row(
        "amd-suite", "jammy on noble", sources(source(suite="jammy")), "warn", ("another release",)
    ),
    Row("amd-suite", "unknown release", {**sources(source()), **unknown("os")}, "skip", (UNREAD,)),
    Row("amd-suite", "unknown", unknown("apt.sources"), "skip", (UNREAD,)),
    Row("amd-signature", "none", {}, "pass", ("no source",)),
    Row("amd-signature", "right", sources(source()), "pass", ("names its key",)),
    Row(
        "amd-signature",
        "trusted",
        sources(source(trusted=True)),
        "fail",
        ("without a signature", f"signed-by={KEYRING}"),
    ),
    Row("amd-signature", "unsigned", sources(source(signed_by=())), "warn", ("Disable it in",)),
    Row(
        "amd-signature",
        "unsigned, and used",
        sources(source(signed_by=())),
        "warn",
        ("not name", KEYRING),
        options=FROM_AMD,
    ),
    Row(
        "amd-signature",
        "of the driver",
        sources(source("https://repo.radeon.com/amdgpu/5.7.1/ubuntu", signed_by=())),
        "warn",
        ("amdgpu/5.7.1/ubuntu",),
    ),
    Row("amd-signature", "unknown", unknown("apt.sources"), "skip", (UNREAD,)),
    Row("amd-key", "none", {}, "pass", ("no source",)),
    Row("amd-key", "right", keys(keyring(expires="2029-01-01")), "pass", ("expires: 2029-01-01",)),
    Row("amd-key", "for ever", keys(keyring()), "pass", ("never",)),
    Row(
        "amd-key",
        "expired",
        keys(keyring(expires="2021-08-01", expired=True)),
        "fail",
        (f"{KEYRING}: CA8B B472", "expired on 2021-08-01", "Disable it in"),
    ),
    Row(
        "amd-key",
        "expired, and nothing of the stack's",
        keys(keyring(expires="2021-08-01", expired=True)),
        "fail",
        (f"{KEYRING}: CA8B B472", "https://repo.radeon.com/rocm/rocm.gpg"),
        options={"rocm_source": "none"},
    ),
    Row("amd-key", "revoked", keys(keyring(revoked=True)), "fail", ("is revoked",)),
    Row(
        "amd-key",
        "AMD's, and another one next to it",
        keys(two_keys()),
        "warn",
        ("more than AMD's key", f"{KEYRING}: {OTHER_SPACED} may sign", "provisioning replaces"),
        options=FROM_AMD,
    ),
    Row(
        "amd-key",
        "two keys in the keyring of a mirror that is left alone",
        {**keys(two_keys()), **sources(source(MIRROR))},
        "warn",
        ("more than AMD's key", "Fetch https://repo.radeon.com", "nothing else may be in"),
    ),
    Row(
        "amd-key",
        "the right one of two is named by its fingerprint",
        keys(two_keys(for_all=True), signed_by=(FINGERPRINT,)),
        "pass",
        (),
    ),
    Row(
        "amd-key",
        "wrong",
        keys(keyring(OTHER_FINGERPRINT)),
        "fail",
        ("A69 3C5C is not there", OTHER_FINGERPRINT),
    ),
    Row(
        "amd-key",
        "of a mirror, whose source is ours and goes",
        {**keys(keyring(OTHER_FINGERPRINT)), **sources(source(MIRROR, file=OWN_FILE))},
        "warn",
        (OTHER_FINGERPRINT, "removes the source of AMD that it wrote"),
    ),
    Row(
        "amd-key",
        "of a mirror that signs with the key that was named",
        {**keys(keyring(OTHER_FINGERPRINT)), **sources(source(MIRROR, file=OWN_FILE))},
        "pass",
        ("is right",),
        options=OWN_MIRROR,
    ),
    Row(
        "amd-key",
        "AMD's, where the mirror signs with another",
        {**keys(keyring()), **sources(source(MIRROR, file=OWN_FILE))},
        "warn",
        ("key F6EC B376", f"is not there, but {FINGERPRINT}", "provisioning replaces"),
        options=OWN_MIRROR,
    ),
    Row(
        "amd-key",
        "the mirror's, for AMD's own host",
        keys(keyring(OTHER_FINGERPRINT)),
        "warn",
        ("A69 3C5C is not there", OTHER_FINGERPRINT),
        options=OWN_MIRROR,
    ),
    Row(
        "amd-key",
        "AMD's, for another mirror than that which is used",
        {**keys(keyring()), **sources(source(MIRROR))},
        "pass",
        ("is right",),
        options=OWN_MIRROR,
    ),
    Row(
        "amd-key",
        "the mirror's has expired",
        {
            **keys(keyring(OTHER_FINGERPRINT, expired=True, expires="2020-01-02")),
            **sources(source(MIRROR, file=OWN_FILE)),
        },
        "warn",
        ("F6EC B376", "expired on 2020-01-02"),
        options=OWN_MIRROR,
    ),
    Row(
        "amd-key",
        "missing",
        keys({"path": KEYRING, "exists": False, "for_all": False, "keys": []}),
        "fail",
        (f"rocm.list:1: {KEYRING} does not exist",),
    ),
    Row(
        "amd-key",
        "in the common keyring",
        keys(keyring(path="/etc/apt/trusted.gpg.d/rocm.gpg", for_all=True), signed_by=()),
        "pass",
        (),
    ),
    Row(
        "amd-key",
        "only in the common keyring",
        keys(keyring(path="/etc/apt/trusted.gpg.d/rocm.gpg", for_all=True), signed_by=("/x.gpg",)),
        "fail",
        ("is not there",),
    ),
    Row(
        "amd-key",
        "named by its fingerprint",
        keys(keyring(path="/etc/apt/trusted.gpg", for_all=True), signed_by=(FINGERPRINT,)),
        "pass",
        (),
    ),
    Row(
        "amd-key",
        "not checked at all",
        {**sources(source(trusted=True)), "apt.keyrings": []},
        "pass",
        ("no source",),
    ),
    Row(
        "amd-key",
        "SHA-1 on Debian",
        {**keys(keyring(sha1=True)), **TRIXIE},
        "warn",
        ("over SHA-1", "CA8B"),
    ),
    Row(
        "amd-key",
        "SHA-1 on Debian 12",
        {**keys(keyring(sha1=True)), **release("debian", "12", "bookworm")},
        "pass",
        (),
    ),
    Row("amd-key", "SHA-1 on Ubuntu", keys(keyring(sha1=True)), "pass", ()),
    Row(
        "amd-key",
        "a keyring unknown",
        {**keys(), f"unknown.apt.keyrings.{KEYRING}": "/x: Permission denied"},
        "skip",
        (UNREAD,),
    ),
    Row(
        "amd-key",
        "a common keyring unknown",
        {
            **keys(signed_by=()),
            "unknown.apt.keyrings./etc/apt/trusted.gpg": "/x: Permission denied",
        },
        "skip",
        (UNREAD,),
    ),
    Row("amd-key", "unknown", {**keys(), **unknown("apt.keyrings")}, "skip", (UNREAD,)),
    # With AMD's source the role rocm replaces what is wrong, so nothing of it refuses the machine.
    Row("candidates", "AMD", {}, "pass", ("once provisioning has added",), options=FROM_AMD),
    Row("amd-pin", "AMD", sources(source()), "pass", ("provisioning writes",), options=FROM_AMD),
    Row("amd-suite", "AMD, jammy", sources(source(suite="jammy")), "pass", (), options=FROM_AMD),
    Row(
        "amd-suite",
        "AMD, another suite",
        sources(source(suite="noble")),
        "warn",
        ("noble begins with ROCm 6.2", "provisioning replaces"),
        options=FROM_AMD,
    ),
    Row(
        "amd-source",
        "AMD, several versions",
        sources(source(), source(f"{AMD}5.2", line=2)),
        "warn",
        ("5.2, 5.7.1", "provisioning replaces"),
        options=FROM_AMD,
    ),
    Row(
        "amd-signature",
        "AMD, unsigned",
        sources(source(trusted=True)),
        "warn",
        ("without a signature", "provisioning replaces"),
        options=FROM_AMD,
    ),
    Row(
        "amd-key",
        "AMD, expired",
        {**sources(source()), "apt.keyrings": [keyring(expired=True, expires="2020-01-02")]},
        "warn",
        ("expired on 2020-01-02", "provisioning replaces"),
        options=FROM_AMD,
    ),
    Row(
        "amd-signature",
        "a mirror's, which provisioning leaves alone",
        sources(source(MIRROR, trusted=True)),
        "fail",
        ("without a signature", "Replace trusted=yes"),
        options=FROM_AMD,
    ),
    Row("amd-pin", "no source", {}, "pass", ("no source",)),
    Row("amd-pin", "other source", sources(source()), "skip", ("distribution",)),
    Row(
        "amd-pin",
        "none, by candidate",
        sources(source()),
        "warn",
        (f"rocminfo 1: {UBUNTU}", "rocm-pin-600", "Pin-Priority: 600"),
        options=WHEEL,
    ),
    Row(
        "amd-pin",
        "an installed version that is in no archive",
        {**sources(source()), **candidates(rocminfo=("1.0.0", "/var/lib/dpkg/status"))},
        "warn",
        ("nothing makes apt prefer",),
        options=WHEEL,
    ),
    Row(
        "amd-pin",
        "in force",
        {**sources(source()), **candidates(rocminfo=AMD_ROCMINFO), **pin(600)},
        "pass",
        ("rocm-pin-600:1: release o=repo.radeon.com, priority 600",),
        options=WHEEL,
    ),
    *[
        Row(
            "amd-pin",
            f"by file: {' '.join([str(priority), text, *packages])}",
            {**sources(source()), **NO_CANDIDATES, **pin(priority, text, *packages)},
            status,
            (),
            options=WHEEL,
        )
        for priority, text, packages, status in (
            (600, "release o=repo.radeon.com", (), "pass"),
            (1001, 'origin "repo.radeon.com"', ("roc*", "hip*"), "pass"),
            (500, "release o=repo.radeon.com", (), "warn"),
            (600, "release o=Ubuntu", (), "warn"),
            (600, "release o=repo.radeon.com", ("hip*",), "warn"),
        )
    ],
    Row(
        "amd-pin",
        "unknown",
        {**sources(source()), **NO_CANDIDATES, **unknown("apt.pins")},
        "skip",
        (UNREAD,),
        options=WHEEL,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.case}")
def test_check(row: Row, make_facts: MakeFacts) -> None:
    assert_row(row, make_facts)
