"""``playbooks/preflight.yml`` against hosts with different faults, and its page in a browser.

The hosts are trees of files; the playbook, the module and the assessment are the real ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.boxes import ROOT, run_playbook
from support.chromium import PROGRAM, Frame, render

FIXTURES = ROOT / "tests" / "fixtures"
HEALTHY = "ubuntu-24.04-rx5700xt"
# A release that keeps any of this would be assessed as what it derives from.
OF_UBUNTU = """\
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
UBUNTU_CODENAME=noble
"""
STATUS = "var/lib/dpkg/status"
CARD = "sys/bus/pci/devices/0000:03:00.0"

needs_chromium = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed: apt install {PROGRAM}"
)


@dataclass(frozen=True)
class Fleet:
    """What a run of the playbook left."""

    returncode: int
    output: str
    folder: Path

    @property
    def page(self) -> Path:
        """The page for users."""
        return self.folder / "fleet.html"

    @property
    def report(self) -> Any:
        """The page for programs."""
        return json.loads((self.folder / "fleet.json").read_text())

    @property
    def reports(self) -> list[Path]:
        """The reports about single hosts."""
        return list(self.folder.glob("*/preflight.json"))

    @property
    def hosts(self) -> dict[str, Any]:
        """The lines of the summary by the name of the host."""
        return {host["host"]: host for host in self.report["hosts"]}


def play(folder: Path, hosts: Mapping[str, Mapping[str, Any]], *arguments: str) -> Fleet:
    """Run the playbook against trees, with reports below ``folder``."""
    reports = folder / "reports"
    shared = {
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
        "rdna1_report_dir": str(reports),
    }
    inventory = folder / "fleet.json"
    inventory.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}))
    done = run_playbook(inventory, "playbooks/preflight.yml", arguments)
    return Fleet(done.returncode, done.stdout + done.stderr, reports)


def tree(name: str) -> dict[str, str]:
    """The variables of a host that is a fixture."""
    return {"preflight_root": str(FIXTURES / name)}


def damaged(folder: Path, file: str, old: str, new: str) -> dict[str, str]:
    """The variables of a host that is a healthy fixture with a text in one file replaced."""
    copy = folder / f"tree-{len(list(folder.iterdir()))}"
    shutil.copytree(FIXTURES / HEALTHY, copy, symlinks=True)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    return {"preflight_root": str(copy)}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A healthy host, eight with faults of their own, and four that cannot be assessed."""
    folder = tmp_path_factory.mktemp("fleet")
    return play(
        folder,
        {
            "ready.example": tree(HEALTHY),
            "search.example": tree("ubuntu-24.04-find-enforce"),
            "mixed.example": tree("ubuntu-24.04-mixed-rocm"),
            "old-stack.example": {**tree(HEALTHY), "rdna1_stack": "rocm-5.2"},
            "no-card.example": tree("debian-13-no-card"),
            "strict.example": {**tree("ubuntu-22.04-rx5500xt"), "preflight_strict": True},
            "unfinished.example": damaged(folder, STATUS, "ok installed", "ok unpacked"),
            "foreign.example": damaged(folder, "usr/lib/os-release", OF_UBUNTU, "ID=slackware\n"),
            "newer-card.example": damaged(folder, f"{CARD}/device", "0x731f", "0x73bf"),
            "gone.example": {"ansible_connection": "box"},
            "misspelt.example": {**tree(HEALTHY), "rdna1_stak": "rocm-5.2"},
            "no-root.example": {"preflight_root": "/no/such"},
            "file-root.example": tree(f"{HEALTHY}/{STATUS}"),
        },
    )


@pytest.mark.parametrize(
    ("host", "verdict", "blocker"),
    [
        ("search", "refuse", "find-enforce"),
        ("mixed", "refuse", "rocm-mixture"),
        ("old-stack", "refuse", "os-release"),
        ("no-card", "refuse", "card"),
        ("strict", "refuse", "os-release"),
        ("unfinished", "warn", None),
        ("foreign", "refuse", "os-release"),
        ("newer-card", "refuse", "card"),
        ("gone", "unreachable", None),
        ("misspelt", "error", None),
        ("no-root", "error", None),
        ("file-root", "error", None),
    ],
)
def test_every_host_has_its_verdict(
    fleet: Fleet, host: str, verdict: str, blocker: str | None
) -> None:
    found = fleet.hosts[f"{host}.example"]
    assert found["verdict"] == verdict
    assert blocker in found["blockers"] if blocker else found["blockers"] == []
    assert bool(found["reason"]) == (found["stack"] is None)


def test_the_summary_agrees_with_the_reports_of_the_hosts(fleet: Fleet) -> None:
    reports = {path.parent.name: json.loads(path.read_text()) for path in fleet.reports}
    assert reports.keys() == {name for name, host in fleet.hosts.items() if host["stack"]}
    for name, report in reports.items():
        failed = {check["id"] for check in report["checks"] if check["status"] == "fail"}
        assert failed <= set(fleet.hosts[name]["blockers"])
        assert report["stack"] == fleet.hosts[name]["stack"]


def test_a_healthy_host_is_not_drawn_in(fleet: Fleet) -> None:
    assert fleet.hosts["ready.example"]["blockers"] == []


def test_reasons_are_those_that_ansible_gave(fleet: Fleet) -> None:
    assert "the box gone.example does not run" in fleet.hosts["gone.example"]["reason"]
    assert "did you mean rdna1_stack?" in fleet.hosts["misspelt.example"]["reason"]


def test_a_root_that_is_no_folder_is_wrong_usage_in_one_line(fleet: Fleet) -> None:
    remedy = "Remedy: name a folder on the target, as preflight_root where the role preflight asks"
    no_root = f"root /no/such: No such file or directory. {remedy}"
    file_root = f"root {FIXTURES / HEALTHY / STATUS}: Not a directory. {remedy}"
    assert fleet.hosts["no-root.example"]["reason"] == no_root
    assert fleet.hosts["file-root.example"]["reason"] == file_root
    assert "Traceback" not in fleet.output


def test_the_play_fails_once_and_names_hosts_and_checks(fleet: Fleet) -> None:
    assert fleet.returncode == 2
    assert fleet.output.count("FAILED!") == 4  # misspelt.example, the two roots, and the fleet
    message = " ".join(fleet.output.split())
    assert "7 of 13 hosts refused: search.example (" in message
    assert "mixed.example (rocm-mixture" in message
    assert "4 of 13 hosts not assessed: gone.example (unreachable), misspelt.example (e" in message


def test_what_is_the_same_on_several_hosts_stands_once(fleet: Fleet) -> None:
    groups = fleet.report["groups"]
    keys = [json.dumps(group["finding"]) for group in groups]
    assert len(keys) == len(set(keys))
    shared = next(g["hosts"] for g in groups if g["finding"]["id"] == "architecture")
    assert len(shared) >= 6
    total = sum(len(group["hosts"]) for group in groups)
    assert len(fleet.reports) == 9
    assert total == sum(len(json.loads(path.read_text())["checks"]) for path in fleet.reports)


@needs_chromium
def test_the_page_is_readable_in_a_browser(fleet: Fleet, tmp_path: Path) -> None:
    rendering = render(fleet.page, tmp_path, widths=(400, 1280))
    assert rendering.console == []
    assert rendering.frames == [Frame(400, 400, 0), Frame(1280, 1280, 0)]
    assert rendering.picture.read_bytes().startswith(b"\x89PNG")


@needs_chromium
def test_the_browser_tells_of_errors_and_of_what_is_too_wide(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<p style='width: 900px'>wide</p><script>console.error('broken')</script>")
    rendering = render(page, tmp_path, widths=(400, 1280))
    assert any("broken" in line for line in rendering.console)
    narrow, broad = rendering.frames
    assert narrow.content_width > 400
    assert narrow.wide_elements > 0
    assert broad == Frame(1280, 1280, 0)


def test_a_fleet_without_faults_passes(tmp_path: Path) -> None:
    hosts = {"ready.example": tree(HEALTHY), "no-card.example": tree("debian-13-no-card")}
    limited = play(tmp_path, hosts, "--limit=ready.example")
    assert limited.returncode == 0, limited.output
    assert list(limited.hosts) == ["ready.example"]


def test_a_refused_host_fails_the_play_behind_a_limit_as_well(tmp_path: Path) -> None:
    hosts = {"ready.example": tree(HEALTHY), "no-card.example": tree("debian-13-no-card")}
    limited = play(tmp_path, hosts, "--limit=no-card.example")
    assert limited.returncode == 2
    assert "1 of 1 hosts refused: no-card.example (card" in " ".join(limited.output.split())


def test_a_fleet_that_nobody_can_reach_has_a_page_too(tmp_path: Path) -> None:
    gone = play(tmp_path, {"gone.example": {"ansible_connection": "box"}})
    assert gone.returncode == 2
    assert gone.report["verdict"] == "incomplete"
    assert "does not run" in gone.page.read_text()
