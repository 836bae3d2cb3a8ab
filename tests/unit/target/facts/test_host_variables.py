from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

ACCOUNTS = (
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n"
    "ann:x:1000:1000:Ann:/home/ann:/bin/bash\nbob:x:1001:1001:Bob:/srv/bob:/bin/zsh\n"
    "nobody:x:65534:65534::/nonexistent:/bin/false\n"
)


def places(facts: Any) -> list[tuple[str, str, str, int | None]]:
    return [(v["name"], v["value"], v["place"], v["line"]) for v in facts["variables"]]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("/etc/environment", "A=1\nMIOPEN_X=3\n", 2),
        ("/etc/environment.d/60-rocm.conf", "MIOPEN_X=3\n", 1),
        ("/etc/security/pam_env.conf", "MIOPEN_X DEFAULT=3\n", 1),
        ("/etc/profile", "\n\nexport MIOPEN_X=3\n", 3),
        ("/etc/profile.d/rocm-rdna1-57.sh", "export MIOPEN_X='3'\n", 1),
        ("/etc/bash.bashrc", "export MIOPEN_X=3\n", 1),
        ("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=MIOPEN_X=3\n", 2),
        ("/etc/systemd/system.conf.d/a.conf", "DefaultEnvironment=MIOPEN_X=3\n", 1),
        ("/etc/systemd/system/a.service", "[Service]\nEnvironment=MIOPEN_X=3\n", 2),
        ("/etc/systemd/system/b.service.d/override.conf", "Environment=MIOPEN_X=3\n", 1),
        ("/root/.profile", "export MIOPEN_X=3\n", 1),
        ("/home/ann/.bashrc", "export MIOPEN_X=3\n", 1),
        ("/home/ann/.bash_profile", "export MIOPEN_X=3\n", 1),
        ("/srv/bob/.zshrc", "export MIOPEN_X=3\n", 1),
        ("/home/ann/.pam_environment", "MIOPEN_X=3\n", 1),
        ("/home/ann/.config/environment.d/a.conf", "MIOPEN_X=3\n", 1),
        ("/home/ann/.config/fish/config.fish", "set -gx MIOPEN_X 3\n", 1),
    ],
)
def test_every_place_that_sets_a_variable(tree: Tree, path: str, text: str, line: int) -> None:
    facts = collect(str(tree({"/etc/passwd": ACCOUNTS, path: text})))
    assert places(facts) == [("MIOPEN_X", "3", path, line)]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/profile.d/notes.txt",
        "/etc/systemd/system/multi-user.target.wants/a.service",
        "/usr/sbin/.profile",
        "/nonexistent/.profile",
    ],
)
def test_places_that_set_nothing(tree: Tree, path: str) -> None:
    facts = collect(
        str(tree({"/etc/passwd": ACCOUNTS, path: "Environment=MIOPEN_X=3\nMIOPEN_X=3\n"}))
    )
    assert places(facts) == []


@pytest.mark.parametrize(
    ("name", "watched"),
    [
        *[(name, True) for name in ("HSA_X", "HIP_X", "ROCM_X", "ROCR_X", "MIOPEN_X", "AMD_X")],
        *[(name, True) for name in ("GPU_MAX_HW_QUEUES", "PYTORCH_ROCM_ARCH")],
        *[(name, True) for name in ("PYTORCH_HIP_ALLOC_CONF", "CUDA_VISIBLE_DEVICES")],
        *[(name, True) for name in ("LD_LIBRARY_PATH", "ROC_X")],
        *[(name, False) for name in ("PATH", "MY_HSA_X", "HSA", "GPU_MAX_HW_QUEUES_X", "hsa_x")],
    ],
)
def test_names_that_are_watched(tree: Tree, name: str, watched: bool) -> None:
    facts: Any = collect(str(tree({"/etc/environment": f"{name}=1\n"})))
    assert [v["name"] for v in facts["variables"]] == ([name] if watched else [])


def test_only_asked_users_and_root_when_users_are_asked(tree: Tree) -> None:
    files: dict[str, str | bytes] = {"/etc/passwd": ACCOUNTS}
    for home in ("/root", "/home/ann", "/srv/bob"):
        files[f"{home}/.profile"] = "export HSA_X=1\n"
    root = str(tree(files))
    assert [place[2] for place in places(collect(root, ["ann"]))] == [
        "/home/ann/.profile",
        "/root/.profile",
    ]
    assert len(places(collect(root))) == 3


def test_the_environment_counts_on_the_running_machine_only(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIOPEN_ONLY_HERE", "3")
    assert ("MIOPEN_ONLY_HERE", "3", "environment", None) in places(collect())
    assert places(collect(str(tree({})))) == []


def test_what_cannot_be_read_is_named(tree: Tree) -> None:
    root = tree({"/etc/passwd": ACCOUNTS, "/home/ann/.profile": "export HSA_X=1\n"})
    (root / "home/ann/.bashrc").symlink_to(".bashrc")
    (root / "etc/environment").mkdir()
    (root / "etc/profile").write_bytes(b"export HSA_X=1\n" * 200_000)
    facts: Any = collect(str(root))
    assert [place[2] for place in places(facts)] == ["/home/ann/.profile"]
    assert "symbolic links" in facts["unknown"]["variables./home/ann/.bashrc"]
    assert "larger than" in facts["unknown"]["variables./etc/profile"]
    assert facts["unknown"]["variables./etc/environment"].startswith("/etc/environment: ")
