"""Each remedy that preflight prints is tried on the machine that provokes it, as far as it runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdna1.preflight import Finding
from support.field.case import Case, report_of
from support.field.table import CASES
from support.findings import finding_of
from support.machine_tree import MachineTree
from unit.preflight import (
    test_checks_apt,
    test_checks_environment,
    test_checks_hardware,
    test_checks_kernel,
    test_preflight_checks,
)

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg and usermod take root")

# A command in a remedy, up to what ends it there.
_COMMAND = re.compile(
    r"\b(?P<command>(?:dpkg --|apt(?:-get)? (?:purge|install|update)|usermod |dkms |rm |unset "
    r"|set --erase |unsetenv |update-initramfs|update-grub|udevadm |mokutil |modprobe |dmesg)"
    r"[^;()]*?)(?=;| - |\. [A-Z]|\.$|, [a-z]| brings | shows |$|: )"
)
EXEMPT = {
    "apt install": "the archive of that machine's release is not here",
    "apt update": "it asks the archives of that machine",
    "dkms": "it compiles a kernel module",
    "update-initramfs": "it belongs to an installed kernel",
    "update-grub": "it belongs to an installed boot loader",
    "udevadm": "it talks to a running machine",
    "mokutil": "it talks to the firmware",
    "modprobe": "it talks to the running kernel",
    "dmesg": "it reads the running kernel",
}


def commands_of(finding: Finding) -> list[str]:
    return [match["command"].strip() for match in _COMMAND.finditer(finding.remedy)]


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"


def dpkg(root: Path, words: list[str]) -> None:
    (root / "var/lib/dpkg/updates").mkdir(exist_ok=True)
    (root / "var/lib/dpkg/triggers").mkdir(exist_ok=True)
    run("dpkg", f"--root={root}", "--force-script-chrootless", *words[1:])


def apt_purge(root: Path, words: list[str]) -> None:
    options = {
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::State": root / "var/lib/apt",
        "Dir::Cache": root / "var/cache/apt",
        "Dir::Etc": root / "etc/apt",
        "APT::Architecture": "amd64",
    }
    for folder in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    # Sources are not what is tried here.
    shutil.rmtree(root / "etc/apt/sources.list.d", ignore_errors=True)
    settings = [f"--option={name}={value}" for name, value in options.items()]
    run("apt-get", "--simulate", *settings, *words[1:])


def usermod(root: Path, words: list[str]) -> None:
    run("usermod", "--prefix", str(root), *words[1:])


def rm(root: Path, words: list[str]) -> None:
    inside = [f"{root}{word}" if word.startswith("/") else word for word in words[1:]]
    run("rm", *inside)


def parsed_by(*shells: str) -> Callable[[Path, list[str]], None]:
    def parse(root: Path, words: list[str]) -> None:
        script = root / "script"
        script.write_text(f"{' '.join(words)}\n")
        for shell in shells:
            if shutil.which(shell):
                run(shell, "-n", str(script))

    return parse


RUNNERS: dict[str, Callable[[Path, list[str]], None]] = {
    "dpkg ": dpkg,
    "apt purge": apt_purge,
    "usermod": usermod,
    "rm ": rm,
    "unset ": parsed_by("sh", "bash", "dash", "zsh"),
    "set --erase": parsed_by("fish"),
    "unsetenv": parsed_by("tcsh", "csh"),
}


def try_on(machine: MachineTree, finding: Finding, counts: Counter[str]) -> None:
    """Run the commands of a remedy in their order, on a copy of the machine."""
    for command in commands_of(finding):
        counts["commands"] += 1
        runner = next((run for start, run in RUNNERS.items() if command.startswith(start)), None)
        if runner is not None:
            runner(machine.root, shlex.split(command))
            counts["executed"] += 1
            continue
        reason = next((why for start, why in EXEMPT.items() if command.startswith(start)), None)
        assert reason is not None, f"{finding.id}: nobody tries {command!r}"
        counts[f"exempt: {reason}"] += 1


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, list[Finding]]]:
    """What is found on each machine of the reports."""
    root = tmp_path_factory.mktemp("machines")
    return [(case, remedies(case, root / f"{number}")) for number, case in enumerate(CASES)]


def test_every_remedy_works_on_its_machine(
    reported: list[tuple[Case, list[Finding]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts: Counter[str] = Counter()
    tried: set[str] = set()
    for number, (case, found) in enumerate(reported):
        first = [finding for finding in found if finding.id == "apt-state"]
        for place, finding in enumerate(found):
            counts["remedies"] += 1
            tried.add(finding.id)
            if not commands_of(finding):
                counts["without a command"] += 1
                continue
            machine = case.build(tmp_path / f"{number}-{place}")
            machine.done()
            if "apt-state" in finding.remedy:
                try_on(machine, first[0], Counter())
            try_on(machine, finding, counts)
    with capsys.disabled():
        print(f"\nremedies tried, of {len(tried)} checks:", dict(counts))
    assert counts["executed"] > 20


def remedies(case: Case, root: Path) -> list[Finding]:
    found = report_of(case, root).checks
    return [finding for finding in found if finding.status in ("warn", "fail")]


# What each command in a remedy can do to the machine, and the words that tell of it.
PACKAGES = "removes packages"
BOOT = "does not boot|hangs at boot"
FILES = "no copy|again"
SESSION = "graphical session"
HARMLESS = ""
WORDS_OF_HARM = {
    "apt purge": PACKAGES,
    "apt install linux-": BOOT,
    # It unpacks more; what is there stays.
    "apt install": HARMLESS,
    "apt update": HARMLESS,
    "dkms": BOOT,
    "dmesg": HARMLESS,
    "dpkg --configure": HARMLESS,
    "dpkg --purge": PACKAGES,
    "dpkg --remove": PACKAGES,
    "modprobe": SESSION,
    "mokutil": BOOT,
    "rm ": FILES,
    "set --erase": HARMLESS,
    "udevadm": HARMLESS,
    "unset": HARMLESS,
    "update-grub": BOOT,
    "update-initramfs": BOOT,
    "usermod": HARMLESS,
}
# What has no command: the owner is to do it.
DEEDS = {
    r"\bBoot (?:a|the)\b": BOOT,
    r"in the (?:BIOS|firmware)": "stays dark",
    r"nomodeset": BOOT,
}


def harm_of(finding: Finding) -> set[str]:
    """The words that a remedy has to have; every command in it is known."""
    words = {words for deed, words in DEEDS.items() if re.search(deed, finding.remedy)}
    for command in commands_of(finding):
        known = [start for start in WORDS_OF_HARM if command.startswith(start)]
        assert known, f"{finding.id}: nobody said whether {command!r} can harm"
        words.add(WORDS_OF_HARM[max(known, key=len)])
    return words - {HARMLESS}


def rows_findings(make_facts: MakeFacts) -> Iterator[Finding]:
    """What all tables of checks find."""
    rows = (test_checks_apt, test_checks_environment, test_checks_hardware, test_checks_kernel)
    for row in [*(r for table in rows for r in table.ROWS), *test_preflight_checks.ROWS]:
        yield finding_of(row, make_facts)


def test_a_remedy_that_can_harm_says_so(
    reported: list[tuple[Case, list[Finding]]],
    make_facts: MakeFacts,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trees = (finding for _, found in reported for finding in found)
    found = {f.remedy: f for f in [*trees, *rows_findings(make_facts)] if f.remedy}
    counts = Counter(words for finding in found.values() for words in harm_of(finding))
    silent = [
        f"{finding.id}: {finding.remedy!r} does not say {words!r}"
        for finding in found.values()
        for words in sorted(harm_of(finding))
        if not re.search(words, finding.remedy)
    ]
    with capsys.disabled():
        print(f"\n{len(found)} remedies, that can harm:", dict(counts))
    assert silent == []
    assert {PACKAGES, BOOT, FILES, SESSION, "stays dark"} <= counts.keys()
