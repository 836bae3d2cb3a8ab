from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from rdna1.target.facts import accounts
from rdna1.target.facts.collect import collect
from rdna1.target.rootfs import MissingError, RootFs, UnreadableError
from support.forked import become, in_child

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

GROUPS = "root:x:0:\nann:x:1000:\nrender:x:105:ann\n"
ACCOUNTS = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"


class Recorded(RootFs):
    """The running machine as files of a table show it."""

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__("/")
        self.files = {"/etc/passwd": ACCOUNTS, "/etc/group": GROUPS, **files}

    def text(self, path: str, limit: int = 0, named_by: object = None) -> str:  # noqa: ARG002 - as the real one
        if path not in self.files:
            raise MissingError(f"{path}: No such file or directory")
        return self.files[path]


def process(uid: int, parent: int, groups: str = "", gid: int | None = None) -> str:
    """As proc_pid_status(5) shows it, with the spaces and tabs of the kernel."""
    gid = uid if gid is None else gid
    return (
        f"Name:\tsh\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        f"Gid:\t{gid}\t{gid}\t{gid}\t{gid}\nGroups:\t{groups} \n"
    )


@pytest.mark.parametrize(
    ("processes", "user", "groups"),
    [
        ({"self": process(1000, 9, "105")}, "ann", ["ann", "render"]),
        ({"self": process(1000, 9)}, "ann", ["ann"]),
        (
            {"self": process(0, 9, "0"), "9": process(0, 8), "8": process(1000, 1, "105")},
            "ann",
            ["ann", "render"],
        ),
        ({"self": process(0, 9, "105"), "9": process(0, 0)}, "root", ["render", "root"]),
        ({"self": process(0, 0)}, "root", ["root"]),
        ({"self": process(1234, 9, "777", gid=778)}, "1234", ["777", "778"]),
    ],
    ids=["user", "no groups", "sudo", "root", "container", "no names"],
)
def test_the_nearest_process_that_is_not_roots(
    processes: dict[str, str], user: str, groups: list[str]
) -> None:
    rootfs = Recorded({f"/proc/{pid}/status": text for pid, text in processes.items()})
    assert accounts.session(rootfs) == {"user": user, "groups": groups}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "/proc/self/status: No such file"),
        ({"/proc/self/status": process(0, 9)}, "/proc/9/status: No such file"),
        ({"/proc/self/status": "Name:\tsh\n"}, "/proc/self/status: no user and group"),
    ],
)
def test_what_proc_does_not_show(files: dict[str, str], message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        accounts.session(Recorded(files))


def test_a_tree_has_no_session(tree: Tree) -> None:
    facts = collect(str(tree({"/proc/self/status": process(1000, 1)})))
    assert facts["session"] is None
    assert isinstance(facts["unknown"], dict)
    assert facts["unknown"]["session"] == "a session belongs to a running machine"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_real_process_that_joined_no_new_group() -> None:
    nobody = pwd.getpwnam("nobody")
    daemon = grp.getgrnam("daemon")

    def as_nobody() -> dict[str, object]:
        become(nobody.pw_uid, nobody.pw_gid, (daemon.gr_gid,))
        return accounts.session(RootFs())

    found = in_child(as_nobody)
    own = grp.getgrgid(nobody.pw_gid).gr_name
    assert found == {"user": "nobody", "groups": sorted([own, "daemon"])}
