"""Services of systemd and the environment files that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

UNIT = "/etc/systemd/system/a.service"
FILE = "/etc/default/a"
NO_USERS = ["variables.homes"]  # the trees hold no /etc/passwd
SETTING = "# of a\nMIOPEN_X=3\n"


def found(facts: Any) -> list[str]:
    return [f"{v['place']}:{v['line']}:{v['name']}={v['value']}" for v in facts["variables"]]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/etc/default/a", FILE),
        ("-/etc/default/a", FILE),
        ("/etc//default/./a", FILE),
        ("/etc/default/a b", "/etc/default/a b"),
        ("/etc/default/100%%", "/etc/default/100%"),
        ("-/etc/*/a", FILE),
        ("/etc/default/[a-c]", FILE),
        ("/etc/default/[^x]", FILE),
        ("/etc/d?fault/*", FILE),
    ],
)
def test_the_finding_names_the_environment_file_and_its_line(
    tree: Tree, value: str, path: str
) -> None:
    unit = f"[Service]\nEnvironmentFile={value}\n"
    facts: Any = collect(str(tree({UNIT: unit, path: SETTING})))
    assert found(facts) == [f"{path}:2:MIOPEN_X=3"]
    assert [name for name in facts["unknown"] if name.startswith("variables.")] == NO_USERS


@pytest.mark.parametrize(
    "value",
    [
        # As systemd takes them: "path is not absolute, ignoring".
        '"/etc/default/a"',
        "'/etc/default/a'",
        "-'/etc/default/a'",
        "etc/default/a",
        "- /etc/default/a",
        "/etc/default/missing",
        "/etc/default/b*",
        "/missing/*",
        "/etc/default/a/*",
    ],
)
def test_values_that_lead_to_no_file(tree: Tree, value: str) -> None:
    files = {UNIT: f"EnvironmentFile={value}\n", FILE: SETTING, "/etc/default/.b": SETTING}
    facts: Any = collect(str(tree(files)))
    assert found(facts) == []
    assert [name for name in facts["unknown"] if name.startswith("variables.")] == NO_USERS


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("%h/env", "only systemd knows what %h stands for"),
        ("-/run/%i%%", "only systemd knows what %i stands for"),
        ("/run/%", "only systemd knows what % stands for"),
        ("/loop/*", "too many levels of symbolic links"),
        ("/many/*", "means more than 1000 files"),
    ],
)
def test_values_that_cannot_be_followed(tree: Tree, value: str, reason: str) -> None:
    root = tree({UNIT: f"[Service]\nEnvironmentFile={value}\nEnvironmentFile={FILE}\n"})
    tree({FILE: SETTING, **{f"/many/{number}": "" for number in range(1001)}})
    (root / "loop").symlink_to("loop")
    facts: Any = collect(str(root))
    assert reason in facts["unknown"][f"variables.{UNIT}:2"]
    assert found(facts) == [f"{FILE}:2:MIOPEN_X=3"]


def test_drop_ins_follow_their_unit_and_take_files_back(tree: Tree) -> None:
    tree({f"/e/{name}": f"MIOPEN_X={name}\n" for name in "abcde"})
    root = tree(
        {
            UNIT: "EnvironmentFile=/e/a\nEnvironmentFile=/e/b\n",
            f"{UNIT}.d/20.conf": "EnvironmentFile=/e/d\n",
            f"{UNIT}.d/10.conf": "EnvironmentFile=/e/c\nEnvironmentFile=\n",
            f"{UNIT}.d/30.txt": "EnvironmentFile=/e/e\n",
            # What another unit names is not taken back.
            "/etc/systemd/system/b.service": "EnvironmentFile=/e/b\n",
        }
    )
    assert found(collect(str(root))) == ["/e/d:1:MIOPEN_X=d", "/e/b:1:MIOPEN_X=b"]


def test_the_first_folder_with_a_unit_counts(tree: Tree) -> None:
    vendor = "/usr/lib/systemd/system"
    root = tree(
        {
            UNIT: "Environment=MIOPEN_X=1\n",
            f"{vendor}/a.service": "Environment=MIOPEN_X=2\n",
            f"{vendor}/b.service": "Environment=MIOPEN_X=3\n",
            f"{vendor}/b.service.d/a.conf": "Environment=MIOPEN_X=4\n",
            "/etc/systemd/system/b.service.d/a.conf": "Environment=MIOPEN_X=5\n",
            f"{vendor}/c.service": "Environment=MIOPEN_X=6\n",
            f"{vendor}/c.service.d/a.conf": "Environment=MIOPEN_X=7\n",
            "/etc/systemd/user/d.service": "Environment=MIOPEN_X=8\n",
        }
    )
    (root / "etc/systemd/system/c.service").symlink_to("/dev/null")  # as systemctl mask does
    (root / "etc/systemd/system/alias.service").symlink_to(f"{vendor}/b.service")
    facts: Any = collect(str(root))
    assert [v["value"] for v in facts["variables"]] == ["1", "3", "5", "8"]
    assert [name for name in facts["unknown"] if name.startswith("variables.")] == NO_USERS


def test_units_of_users(tree: Tree) -> None:
    home = "/home/ann/.config/systemd/user"
    root = tree(
        {
            "/etc/passwd": "ann:x:1000:1000:Ann:/home/ann:/bin/sh\n",
            f"{home}/a.service": "EnvironmentFile=%h/env\nEnvironmentFile=/home/ann/env\n",
            "/home/ann/env": SETTING,
        }
    )
    facts: Any = collect(str(root))
    assert found(facts) == ["/home/ann/env:2:MIOPEN_X=3"]
    assert "%h" in facts["unknown"][f"variables.{home}/a.service:1"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/srv/env",
        "/home/bob/env",
        "/home/ann/../bob/env",
        "/home/ann/../../etc/shadow",
    ],
)
def test_a_file_outside_of_the_home_is_not_read_on_a_users_word(tree: Tree, path: str) -> None:
    root = tree(
        {
            "/etc/passwd": "ann:x:1000:1000:Ann:/home/ann:/bin/sh\n",
            "/home/ann/.config/systemd/user/a.service": f"EnvironmentFile=-{path}\n",
            **dict.fromkeys(("/etc/shadow", "/srv/env", "/home/bob/env"), SETTING),
        }
    )
    facts: Any = collect(str(root))
    assert found(facts) == []
    assert any("a service of /home/ann names it" in reason for reason in facts["unknown"].values())


def test_a_file_that_roots_own_service_names_is_read(tree: Tree) -> None:
    root = tree(
        {
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
            "/root/.config/systemd/user/a.service": "EnvironmentFile=/srv/env\n",
            "/srv/env": SETTING,
        }
    )
    assert found(collect(str(root))) == ["/srv/env:2:MIOPEN_X=3"]


def test_a_file_that_is_named_twice_counts_once(tree: Tree) -> None:
    units = {f"/etc/systemd/system/{name}.service": f"EnvironmentFile={FILE}\n" for name in "ab"}
    units["/etc/systemd/system/c.service"] = "EnvironmentFile=/etc/environment\n"
    root = tree({**units, FILE: SETTING, "/etc/environment": "HSA_X=1\n"})
    assert found(collect(str(root))) == ["/etc/environment:1:HSA_X=1", f"{FILE}:2:MIOPEN_X=3"]
