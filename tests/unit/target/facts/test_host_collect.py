from __future__ import annotations

import json
import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import distro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdna1.target.facts
from rdna1.preflight import load_facts
from rdna1.target.facts.collect import collect
from support.examples import examples
from support.long_values import LENGTH, LONG_VALUES
from support.pythons import find_python

FIXTURES = Path(__file__).parents[3] / "fixtures"
TREES = sorted(path.parent for path in FIXTURES.glob("*/usr"))
HEALTHY = FIXTURES / "ubuntu-24.04-rx5700xt"
HEALTHY_FILES = sorted(str(p.relative_to(HEALTHY)) for p in HEALTHY.rglob("*") if p.is_file())


@pytest.mark.parametrize("root", TREES, ids=lambda path: path.name)
def test_every_fixture_gives_facts_that_fit(root: Path) -> None:
    facts = load_facts(collect(str(root)))
    assert facts.os is not None
    assert facts.glibc is not None
    assert facts.displays
    assert facts.pythons


def test_the_healthy_tree_leaves_open_only_what_a_tree_cannot_tell() -> None:
    unknown = collect(str(HEALTHY), ["ann"])["unknown"]
    assert isinstance(unknown, dict)
    of_a_running_machine = {"kernel", "kfd", "render_nodes", "disk", "apt", "session"}
    assert {name.partition(".")[0] for name in unknown} == of_a_running_machine


def test_a_relative_root_is_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    assert collect(HEALTHY.name) == collect(str(HEALTHY))


def test_names_that_are_not_utf8_still_fit_json(tmp_path: Path) -> None:
    folder = tmp_path / "etc/profile.d"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xff.sh")).write_text("export HSA_X=1\n")
    facts: Any = collect(str(tmp_path))
    assert json.dumps(facts, ensure_ascii=False).encode()
    assert facts["variables"][0]["place"] == "/etc/profile.d/?.sh"


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_the_same_facts_with_each_python(version: str, tmp_path: Path) -> None:
    """Ansible runs these files with the target's own Python and nothing else."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"no python{version} on this machine")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{Path(rdna1.target.facts.__path__[0]).parents[2]}:{tmp_path}",
    }
    # Ansible brings a copy of this library to a target.
    shutil.copytree(Path(distro.__file__).parent, tmp_path / "distro")
    code = (
        "import json, sys; from rdna1.target.facts.collect import collect\n"
        "print(json.dumps(collect(sys.argv[1], ['ann'])))"
    )
    done = subprocess.run(
        [str(python), "-W", "error", "-S", "-c", code, str(HEALTHY)],
        capture_output=True,
        env=environment,
    )
    assert done.stderr == b""
    assert json.loads(done.stdout) == collect(str(HEALTHY), ["ann"])


@settings(max_examples=examples(60), deadline=None)
@given(
    damaged=st.dictionaries(
        st.sampled_from(HEALTHY_FILES),
        st.none() | st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
        max_size=8,
    )
)
def test_damaged_trees_give_facts_that_fit(
    tmp_path_factory: pytest.TempPathFactory, damaged: dict[str, bytes | None]
) -> None:
    root = tmp_path_factory.mktemp("damaged") / "root"
    shutil.copytree(HEALTHY, root, symlinks=True)
    for name, content in damaged.items():
        (root / name).unlink()
        if content is not None:
            (root / name).write_bytes(content)
    load_facts(collect(str(root), ["ann"]))
    shutil.rmtree(root)


# What is read of each file is at most 1 MiB, but for these: they grow with the machine.
LONG_FILES = {"var/lib/dpkg/status", "proc/cpuinfo", "proc/meminfo"}
UNIT = "etc/systemd/system/a.service"
ADDED_FILES = [
    "etc/default/a",
    "etc/profile.d/a.sh",
    "etc/apt/preferences",
    UNIT,
    f"{UNIT}.d/b.conf",
]
SHORT_FILES = {
    "etc/os-release": "os",
    "proc/cmdline": "kernel.cmdline",
    "proc/sys/kernel/osrelease": "kernel.release",
    "etc/apt/sources.list.d/ubuntu.sources": "apt.sources",
    "etc/apt/preferences": "apt.pins./etc/apt/preferences",
    "etc/group": "users",
    "etc/environment": "variables./etc/environment",
    "etc/default/a": "variables./etc/default/a",
    "etc/profile.d/a.sh": "variables./etc/profile.d/a.sh",
    UNIT: f"variables./{UNIT}",
    f"{UNIT}.d/b.conf": f"variables./{UNIT}.d/b.conf",
    "home/ann/.bashrc": "variables./home/ann/.bashrc",
    "sys/class/kfd/kfd/topology/nodes/1/properties": "kfd.nodes.1",
    "sys/bus/pci/devices/0000:03:00.0/class": "displays.0000:03:00.0",
}


@pytest.fixture(scope="session")
def long_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files with one of `LONG_VALUES` each; trees take them over as hard links."""
    folder = tmp_path_factory.mktemp("long")
    paths = [folder / str(number) for number in range(len(LONG_VALUES))]
    for path, value in zip(paths, LONG_VALUES, strict=True):
        path.write_text(value)
    return paths


def put(root: Path, name: str, long_file: Path) -> None:
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    os.link(long_file, place)


def make_tree(root: Path) -> Path:
    """The healthy tree with a unit and its environment file."""
    shutil.copytree(HEALTHY, root, symlinks=True)
    unit = root / UNIT
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nEnvironmentFile=/etc/default/a\n")
    return root


@pytest.mark.parametrize(("name", "fact"), SHORT_FILES.items())
def test_a_file_with_a_line_of_10_mb_is_not_read_and_says_so(
    tmp_path: Path, long_files: list[Path], name: str, fact: str
) -> None:
    root = make_tree(tmp_path / "root")
    put(root, name, long_files[0])
    facts: Any = collect(str(root), ["ann"])
    reasons = [reason for key, reason in facts["unknown"].items() if key.startswith(fact)]
    assert f"/{name}: larger than 1048576 bytes" in reasons
    load_facts(facts)


def test_no_file_of_10_mb_gets_into_memory(tmp_path: Path, long_files: list[Path]) -> None:
    root = make_tree(tmp_path / "root")
    for name in {*HEALTHY_FILES, *ADDED_FILES} - LONG_FILES:
        put(root, name, long_files[0])
    tracemalloc.start()
    collect(str(root), ["ann"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LENGTH / 2


@settings(max_examples=examples(8), deadline=None)
@given(data=st.data())
def test_damaged_trees_with_lines_of_10_mb_give_facts_that_fit(
    tmp_path_factory: pytest.TempPathFactory, long_files: list[Path], data: st.DataObject
) -> None:
    root = make_tree(tmp_path_factory.mktemp("damaged") / "root")
    names = st.sampled_from([*HEALTHY_FILES, *ADDED_FILES])
    # Those that are read whole are the ones that can go wrong.
    chosen = {
        data.draw(st.sampled_from(sorted(LONG_FILES))),
        *data.draw(st.sets(names, max_size=8)),
    }
    for name in sorted(chosen):
        put(root, name, data.draw(st.sampled_from(long_files)))
    load_facts(collect(str(root), ["ann"]))
    shutil.rmtree(root)
