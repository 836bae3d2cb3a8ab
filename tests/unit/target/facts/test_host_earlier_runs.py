"""What an earlier run left: environments, envelopes of what works, settings."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Envelope, envelope_of
from rdna1.measure.envelope_renewal import renewed
from rdna1.report.json import to_json
from rdna1.target.facts.collect import collect
from support.convolutions import investigate, pretend

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/bash\n"
SITE = "lib/python3.12/site-packages"
PACKAGES = {"torch": "2.2.2+rocm5.7"}
IDENTITY = "0123456789ab"


def environment(folder: str) -> dict[str, str]:
    """Files of a whole environment of one package, by their paths."""
    metadata = f"{folder}/{SITE}/torch-2.2.2+rocm5.7.dist-info"
    return {
        f"{folder}/pyvenv.cfg": "home = /usr/bin\nversion_info = 3.12.3\n",
        f"{folder}/rdna1-environment.json": json.dumps(
            {"identity": IDENTITY, "packages": PACKAGES}
        ),
        f"{folder}/{SITE}/torch/__init__.py": "four",
        f"{metadata}/RECORD": "torch/__init__.py,sha256=x,4\n",
    }


@pytest.fixture
def root(tree: Tree) -> Path:
    """A machine with an environment of the whole machine, and one of a user."""
    opt, home = "/opt/rdna1", "/home/ann/.local/share/rdna1"
    root = tree(
        {
            "/etc/passwd": ACCOUNTS,
            "/opt/rdna1/bin/uv": "",
            "/opt/rdna1/cache/x": "",
            **environment(f"{opt}/environments/rocm-5.7-{IDENTITY}"),
            **environment(f"{home}/environments/rocm-5.7-{IDENTITY}"),
        }
    )
    for folder in (opt, home):
        # As a run leaves it, with the path on the machine.
        link = root / folder.lstrip("/") / "rocm-5.7"
        link.symlink_to(f"{folder}/environments/rocm-5.7-{IDENTITY}")
    return root


def environments(root: Path) -> Any:
    return collect(str(root))["environments"]


def test_environments_of_the_machine_and_of_users(root: Path) -> None:
    told = {"identity": IDENTITY, "python": "3.12.3", "packages": PACKAGES, "altered": []}
    assert environments(root) == [
        {"path": "/opt/rdna1/rocm-5.7", **told},
        {"path": "/home/ann/.local/share/rdna1/rocm-5.7", **told},
    ]


def test_what_was_altered_by_hand_is_told(root: Path) -> None:
    module = root / f"opt/rdna1/environments/rocm-5.7-{IDENTITY}/{SITE}/torch/__init__.py"
    module.write_text("edited")
    assert environments(root)[0]["altered"] == [
        "torch: torch/__init__.py is missing or was altered"
    ]


def test_one_that_is_not_whole_has_no_identity(root: Path) -> None:
    (root / f"opt/rdna1/environments/rocm-5.7-{IDENTITY}/rdna1-environment.json").unlink()
    assert environments(root)[0] == {
        "path": "/opt/rdna1/rocm-5.7",
        "identity": "",
        "python": "3.12.3",
        "packages": {},
        "altered": [],
    }


def test_other_links_and_folders_are_none(root: Path) -> None:
    (root / "opt/rdna1/elsewhere").symlink_to("/usr/lib")
    (root / "opt/rdna1/rocm-5.7").unlink()
    assert [found["path"] for found in environments(root)] == [
        "/home/ann/.local/share/rdna1/rocm-5.7"
    ]


MEASURED = Envelope(
    max_side=42,
    max_workspace_bytes=None,
    source="measured",
    measured=Conditions(device="Radeon", stack="rocm-5.7", environment={"HSA_X": "1"}),
)


def test_envelopes_as_the_validation_writes_them(tree: Tree) -> None:
    """The role validate compares the text with what it is going to write."""
    user = "/home/ann/.config/rdna1/envelope.json"
    texts = {"/etc/rdna1/envelope.json": to_json(MEASURED), user: to_json(BOTH_DIRECTIONS)}
    root = tree({"/etc/passwd": ACCOUNTS, **texts})
    assert collect(str(root))["envelopes"] == [
        {"path": path, "content": text} for path, text in texts.items()
    ]


def test_an_envelope_with_unusual_values_is_as_the_validation_writes_it(tree: Tree) -> None:
    values = {"HSA_X": "a\tb\u202ec", "MIOPEN_Y": "x" * 5000}
    measured = Conditions(device="Radeon\u2122", environment=values)
    text = to_json(msgspec.structs.replace(MEASURED, measured=measured))
    root = tree({"/etc/passwd": ACCOUNTS, "/etc/rdna1/envelope.json": text})
    facts: Any = collect(str(root))
    assert facts["envelopes"] == [{"path": "/etc/rdna1/envelope.json", "content": text}]


def test_an_envelope_of_all_classes_is_as_the_validation_writes_it(tree: Tree) -> None:
    _, cases = investigate(pretend(lambda case: case.h > 12), max_side=16, form="full")
    made = envelope_of(cases, Conditions(device="Radeon"))
    assert made.limits
    assert made.forms
    text = to_json(made)
    root = tree({"/etc/passwd": ACCOUNTS, "/etc/rdna1/envelope.json": text})
    facts: Any = collect(str(root))
    assert facts["envelopes"] == [{"path": "/etc/rdna1/envelope.json", "content": text}]


@pytest.mark.parametrize(
    "text",
    [
        "{damaged",
        "",
        "[" * 50_000,
        to_json(MEASURED) + "x",
        to_json(MEASURED).rstrip(),
        to_json(MEASURED).replace("{", '{"more": 1,', 1),
        json.dumps(json.loads(to_json(MEASURED))),
        "x" * (2 * 1024 * 1024),
    ],
    ids=["cut", "empty", "deep", "end", "line end", "field", "form", "large"],
)
def test_a_damaged_envelope_is_written_again_or_removed(tree: Tree, text: str) -> None:
    """The role validate writes where the fact differs from what is to be there, or from nothing."""
    root = tree({"/etc/passwd": ACCOUNTS, "/etc/rdna1/envelope.json": text})
    facts: Any = collect(str(root))
    [content] = [envelope["content"] for envelope in facts["envelopes"]]
    assert content not in ("", to_json(MEASURED), to_json(renewed(content, MEASURED)))


BOTH_DIRECTIONS: dict[str, object] = {
    "schema_version": 1,
    "max_side": None,
    "max_workspace_bytes": 2**20,
    "source": "stack",
    "measured": {"stack": "rocm-5.7", "environment": {}, "date": None},
    "backward": {"max_side": 7, "max_workspace_bytes": None},
    "limits": [{"quantity": "workspace", "max": 9, "when": {"dtype": "float16", "n": 1}}],
    "routes": {"bypass": {"max_side": 9, "max_workspace_bytes": None}},
}


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('{"max_side": 42, "key": "-----BEGIN", "measured": {"stack": "x", "more": "y"}}', None),
        ("root:!:19000:0:99999:7:::", {}),
        ("[" * 50_000, {}),
        ('{"limits": ' + "[" * 20_000, {}),
        ('{"limits": {"quantity": 1}}', {}),
        ('{"max_side": "root:!:19000"}', {}),
        ('{"max_side": NaN}', {}),
        ('{"max_side": 1e999}', {}),
        ('{"max_side": true}', {}),
        ('["max_side"]', {}),
        ("\xff", {}),
    ],
)
def test_of_an_envelope_only_known_fields_are_told(tree: Tree, text: str, content: Any) -> None:
    root = tree({"/etc/passwd": ACCOUNTS, "/home/ann/.config/rdna1/envelope.json": text})
    facts: Any = collect(str(root))
    told = json.loads(facts["envelopes"][0]["content"])
    if content is None:
        assert told == {"max_side": 42, "measured": {"stack": "x"}}
    else:
        assert told == content
        assert [reason for name, reason in facts["unknown"].items() if "envelopes" in name] == [
            "/home/ann/.config/rdna1/envelope.json: not an envelope"
        ]


def test_a_machine_that_was_never_provisioned(tree: Tree) -> None:
    facts = collect(str(tree({"/etc/passwd": ACCOUNTS})))
    assert (facts["envelopes"], facts["environments"], facts["stack_settings"]) == ([], [], [])


def test_settings_of_stacks_with_their_rights(tree: Tree) -> None:
    root = tree(
        {
            "/etc/passwd": f"me:x:{os.getuid()}:{os.getgid()}::/home/me:/bin/sh\n",
            "/etc/group": f"ours:x:{os.getgid()}:\n",
            "/etc/profile.d/rocm-rdna1-57.sh": "A=1\n",
            "/etc/profile.d/other.sh": "B=2\n",
            "/etc/rdna1/rocm-5.7/activate.sh": "A=1\n",
        }
    )
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/rdna1-validate").symlink_to("/opt/rdna1/rocm-5.7/bin/rdna1-validate")
    (root / "etc/profile.d/rocm-rdna1-57.sh").chmod(0o640)
    rights = {"owner": "me", "group": "ours"}
    digest = hashlib.sha256(b"A=1\n").hexdigest()
    activate = root / "etc/rdna1/rocm-5.7/activate.sh"
    for path, mode in ((activate, 0o644), (activate.parent, 0o755), (root / "etc/rdna1", 0o755)):
        path.chmod(mode)
    assert collect(str(root))["stack_settings"] == [
        {
            "path": "/etc/profile.d/rocm-rdna1-57.sh",
            "mode": "0640",
            **rights,
            "sha256": digest,
        },
        {"path": "/etc/rdna1", "mode": "0755", **rights},
        {"path": "/etc/rdna1/rocm-5.7", "mode": "0755", **rights},
        {"path": "/etc/rdna1/rocm-5.7/activate.sh", "mode": "0644", **rights, "sha256": digest},
        {
            "path": "/usr/local/bin/rdna1-validate",
            "target": "/opt/rdna1/rocm-5.7/bin/rdna1-validate",
        },
    ]
