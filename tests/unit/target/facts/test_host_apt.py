from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts import apt_policy
from rdna1.target.facts.apt_settings import settings
from rdna1.target.facts.collect import collect
from rdna1.target.facts.deb822 import paragraphs
from rdna1.target.rootfs import RootFs, UnreadableError

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

LIST = "/etc/apt/sources.list"
FOLDER = "/etc/apt/sources.list.d"
PREFERENCES = "/etc/apt/preferences.d"
SETTINGS = "/etc/apt/apt.conf.d"
AMD = "https://repo.radeon.com/rocm/apt/5.7.1"


def apt_facts(root: Path) -> Any:
    facts: Any = collect(str(root))
    return facts["apt"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"deb [arch=amd64 signed-by=/etc/apt/keyrings/rocm.gpg] {AMD} jammy main # of AMD",
            {"uris": [AMD], "suites": ["jammy"], "signed_by": ["/etc/apt/keyrings/rocm.gpg"]},
        ),
        (f"deb [ trusted=yes ] {AMD} ubuntu main", {"trusted": True, "suites": ["ubuntu"]}),
        (f"deb [allow-insecure=yes] {AMD} jammy main", {"trusted": True}),
        (f"deb [trusted=no] {AMD} jammy main extra", {"components": ["main", "extra"]}),
        (f"  deb-src\t{AMD}\tjammy\tmain", {"types": ["deb-src"], "signed_by": []}),
        ("deb https://me:secret@host/apt/ ./", {"uris": ["https://host/apt/"], "components": []}),
        ("deb [signed-by=ABCD,/a.gpg] http://a b c", {"signed_by": ["ABCD", "/a.gpg"]}),
        ("deb cdrom:[Debian 12 _X_]/ bookworm main", {"uris": ["cdrom:[Debian 12 _X_]/"]}),
    ],
)
def test_one_line_sources(tree: Tree, line: str, expected: dict[str, object]) -> None:
    (found,) = apt_facts(tree({LIST: f"# sources\n\n{line}\n"}))["sources"]
    assert (found["file"], found["line"], found["enabled"]) == (LIST, 3, True)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "line", ["# deb http://a b c", "deb", "deb http://a", "rpm http://a b", ""]
)
def test_lines_that_are_no_source(tree: Tree, line: str) -> None:
    assert apt_facts(tree({LIST: line}))["sources"] == []


def test_deb822_sources(tree: Tree) -> None:
    text = f"""# comment

types: deb deb-src
URIs: {AMD}
 https://other
# in between
Suites: jammy
Components: main
Signed-By: /etc/apt/keyrings/rocm.gpg

Types: deb
URIs: http://user@host/ubuntu
Suites: noble noble-updates
Enabled: no
Trusted: yes

Types: deb
Components: main
"""
    first, second = apt_facts(tree({f"{FOLDER}/a.sources": text}))["sources"]
    assert first == {
        "file": f"{FOLDER}/a.sources",
        "line": 3,
        "types": ["deb", "deb-src"],
        "uris": [AMD, "https://other"],
        "suites": ["jammy"],
        "components": ["main"],
        "signed_by": ["/etc/apt/keyrings/rocm.gpg"],
        "trusted": False,
        "enabled": True,
    }
    assert (second["line"], second["uris"]) == (11, ["http://host/ubuntu"])
    assert (second["suites"], second["components"]) == (["noble", "noble-updates"], [])
    assert (second["enabled"], second["trusted"]) == (False, True)


def test_files_that_apt_does_not_read(tree: Tree) -> None:
    line = f"deb {AMD} jammy main\n"
    pin = "Package: *\nPin: release a=b\nPin-Priority: 1\n"
    proxy = 'Acquire::http::Proxy "http://a/";\n'
    names = ["a.list.save", "b.list~", "c.txt", ".list", "d e.list"]
    root = tree(
        {
            **{f"{FOLDER}/{name}": line for name in names},
            **{f"{PREFERENCES}/{name}": pin for name in ("a.save", "b~", "c d")},
            **{f"{SETTINGS}/{name}": proxy for name in ("a.save", "b~", "c d")},
        }
    )
    facts = apt_facts(root)
    assert (facts["sources"], facts["pins"], facts["proxies"]) == ([], [], [])


def test_a_file_that_cannot_be_read_is_named(tree: Tree) -> None:
    root = tree({f"{FOLDER}/a.list": f"deb {AMD} jammy main\n"})
    for folder, name in ((FOLDER, "b.list"), (PREFERENCES, "b"), (SETTINGS, "b")):
        (root / folder.lstrip("/") / name).mkdir(parents=True)
    facts: Any = collect(str(root))
    assert [source["file"] for source in facts["apt"]["sources"]] == [f"{FOLDER}/a.list"]
    assert facts["unknown"][f"apt.sources.{FOLDER}/b.list"].endswith("Is a directory")
    assert f"apt.pins.{PREFERENCES}/b" in facts["unknown"]
    assert f"apt.proxies.{SETTINGS}/b" in facts["unknown"]


def test_pins(tree: Tree) -> None:
    text = """Explanation: Prefer packages from the rocm repository
Package: *
Pin: release o=repo.radeon.com
Pin-Priority: 600

Package: rocminfo hip*
Pin:   origin   "repo.radeon.com"
Pin-Priority: -10

Package: odd
Pin: release a=b
Pin-Priority: many

Package: odd
"""
    found = apt_facts(tree({f"{PREFERENCES}/rocm-pin-600": text}))["pins"]
    assert found == [
        {
            "file": f"{PREFERENCES}/rocm-pin-600",
            "line": 1,
            "packages": ["*"],
            "pin": "release o=repo.radeon.com",
            "priority": 600,
        },
        {
            "file": f"{PREFERENCES}/rocm-pin-600",
            "line": 6,
            "packages": ["rocminfo", "hip*"],
            "pin": 'origin "repo.radeon.com"',
            "priority": -10,
        },
    ]


def test_a_pin_in_one_line_is_none(tree: Tree) -> None:
    """The file of ROCm/ROCm#3946: the shell's echo did not turn backslash n into lines."""
    text = "Package: *\\nPin: release o=repo.radeon.com\\nPin-Priority: 600\n"
    assert apt_facts(tree({f"{PREFERENCES}/rocm-pin-600": text}))["pins"] == []


def test_proxies(tree: Tree) -> None:
    root = tree(
        {
            f"{SETTINGS}/10proxy": '// of the office\nAcquire::http::Proxy "http://u:p@a:3128/";\n',
            f"{SETTINGS}/20auto.conf": 'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto";',
            "/etc/apt/apt.conf": (
                "# old\nAcquire {\n  Retries 3;\n  /* both\n */ http { Proxy::host DIRECT; };\n"
                '  https { Proxy "http://b/"; Timeout "9"; };\n};\n'
            ),
        }
    )
    assert [tuple(proxy.values()) for proxy in apt_facts(root)["proxies"]] == [
        ("Acquire::http::Proxy", "http://a:3128/", f"{SETTINGS}/10proxy", 2),
        ("Acquire::http::Proxy-Auto-Detect", "/usr/bin/auto", f"{SETTINGS}/20auto.conf", 1),
        ("Acquire::http::Proxy::host", "DIRECT", "/etc/apt/apt.conf", 5),
        ("Acquire::https::Proxy", "http://b/", "/etc/apt/apt.conf", 6),
    ]


@pytest.mark.parametrize("junk", ["}};;{{", '"', "/*", "a {", "\x00\xff", "{" * 1000])
def test_junk_in_the_files_of_apt(junk: str) -> None:
    assert list(settings(junk)) == []
    assert list(paragraphs(junk)) == []


def test_held_packages(tree: Tree) -> None:
    status = (
        "Package: rocminfo\nStatus: hold ok installed\nVersion: 1\n\n"
        "Package: bash\nStatus: install ok installed\nVersion: 1\n"
    )
    assert apt_facts(tree({"/var/lib/dpkg/status": status}))["held"] == ["rocminfo"]


def test_markers_of_pep_668(tree: Tree) -> None:
    root = tree(
        {
            "/usr/lib/python3.12/EXTERNALLY-MANAGED": "",
            "/usr/lib/python3/dist-packages/x": "",
            "/usr/lib/python2.7/EXTERNALLY-MANAGED": "",
        }
    )
    facts = collect(str(root))
    assert facts["externally_managed"] == ["/usr/lib/python3.12/EXTERNALLY-MANAGED"]


POLICY = """\
rocminfo:
  Installed: 1.0.0.50701-98~22.04
  Candidate: 5.7.1-3build1
  Version table:
     5.7.1-3build1 500
        500 http://me:pw@archive.ubuntu.com/ubuntu noble/universe amd64 Packages
 *** 1.0.0.50701-98~22.04 600
       1001 https://repo.radeon.com/rocm/apt/5.7.1 jammy/main amd64 Packages
        100 /var/lib/dpkg/status
libtinfo5:
  Installed: (none)
  Candidate: (none)
  Version table:
     6.3-2 -1
         -1 http://archive.ubuntu.com/ubuntu jammy/universe amd64 Packages
comgr:
  Installed: 2.5.0
  Candidate: 2.5.0
  Version table:
 *** 2.5.0 100
        100 /var/lib/dpkg/status
"""


def test_what_apt_prints() -> None:
    assert apt_policy.parse(POLICY) == {
        "rocminfo": {
            "version": "5.7.1-3build1",
            "origins": ["http://archive.ubuntu.com/ubuntu noble/universe amd64 Packages"],
        },
        "comgr": {"version": "2.5.0", "origins": ["/var/lib/dpkg/status"]},
    }
    assert apt_policy.parse("") == {}


def program(folder: Path, body: str) -> str:
    path = folder / "apt-cache"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def indexes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of package indexes with one in it."""
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "host_dists_noble_main_binary-amd64_Packages.lz4").touch()
    monkeypatch.setattr(apt_policy, "_LISTS", str(folder))
    return folder


@pytest.mark.usefixtures("indexes")
def test_apt_is_asked_once_in_plain_english(tmp_path: Path) -> None:
    path = program(tmp_path, f'echo "$@" $LC_ALL > {tmp_path}/asked; cat <<"E"\n{POLICY}E')
    question = apt_policy.PolicyQuery(RootFs("/"), ["rocminfo", "libtinfo5", "rocminfo"], path)
    found: Any = question.candidates()
    assert (tmp_path / "asked").read_text() == (
        "-o APT::Cmd::Pattern-Only=true policy libtinfo5 rocminfo C\n"
    )
    assert found["rocminfo"]["version"] == "5.7.1-3build1"
    assert found["libtinfo5"] is None
    assert set(found) == {"rocminfo", "libtinfo5"}


@pytest.mark.usefixtures("indexes")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('echo "W: odd" >&2; echo "E: Conflicting values" >&2; exit 100', "Conflicting values"),
        ("exit 100", "no reason given"),
    ],
)
def test_an_apt_that_fails_is_quoted(tmp_path: Path, body: str, reason: str) -> None:
    path = program(tmp_path, body)
    with pytest.raises(UnreadableError, match=f"apt-cache: {reason}"):
        apt_policy.PolicyQuery(RootFs("/"), ["a"], path).candidates()


@pytest.mark.usefixtures("indexes")
def test_an_apt_that_only_warns_is_heard(tmp_path: Path) -> None:
    path = program(tmp_path, f'echo "N: Unable to locate" >&2; cat <<"E"\n{POLICY}E')
    assert apt_policy.PolicyQuery(RootFs("/"), ["comgr"], path).candidates()["comgr"] is not None


@pytest.mark.usefixtures("indexes")
def test_an_apt_that_hangs_is_ended(tmp_path: Path) -> None:
    path = program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    question = apt_policy.PolicyQuery(RootFs("/"), ["a"], path)
    with pytest.raises(UnreadableError, match=r"no answer within 0\.5 s"):
        question.candidates(0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_no_apt_and_no_index(indexes: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(UnreadableError, match=re.escape(f"{missing}: No such file")):
        apt_policy.PolicyQuery(RootFs("/"), ["a"], missing).candidates()
    for path in indexes.iterdir():
        path.unlink()
    with pytest.raises(UnreadableError, match="no package index; run as root: apt-get update"):
        apt_policy.PolicyQuery(RootFs("/"), ["a"]).candidates()


@pytest.mark.usefixtures("indexes")
def test_no_process_for_a_tree_or_without_names(tree: Tree, tmp_path: Path) -> None:
    path = program(tmp_path, f"touch {tmp_path}/started")
    with pytest.raises(UnreadableError, match="belongs to a running machine"):
        apt_policy.PolicyQuery(RootFs(str(tree({}))), ["a"], path).candidates()
    assert apt_policy.PolicyQuery(RootFs("/"), [], path).candidates() == {}
    assert not (tmp_path / "started").exists()


def test_the_apt_of_this_machine() -> None:
    """Whatever the machine is: an answer about both packages, or a reason."""
    facts: Any = collect("/", packages=["libc6", "rdna1-no-such-package"])
    candidates = facts["apt"]["candidates"]
    if candidates is None:
        assert facts["unknown"]["apt.candidates"]
    else:
        assert candidates["rdna1-no-such-package"] is None
        assert candidates["libc6"]["origins"]
