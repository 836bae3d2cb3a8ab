"""The rules about variables and sessions against machines that are right, wrong, and not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.findings import UNREAD, Row, assert_row, unknown

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"
UNITS = "/etc/systemd/system"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
OTHER_PROFILE = "/etc/profile.d/rocm-rdna1-52.sh"
UNREAD_PLACE = {"unknown.variables./root": "/root: Permission denied"}
NOT_READ = "not read: /root: Permission denied"
CPU: dict[str, object] = {
    "node": 0,
    "gfx_target": None,
    "simd_count": 0,
    "vendor_id": "0000",
    "device_id": "0000",
}
CARD: dict[str, object] = {
    "node": 1,
    "gfx_target": "gfx1010",
    "simd_count": 80,
    "vendor_id": "1002",
}
NODES: list[dict[str, object]] = [
    {**CPU, "fw_version": None},
    {**CARD, "device_id": "731f", "fw_version": 145},
]
IGPU: dict[str, object] = {**NODES[1], "node": 2, "gfx_target": "gfx90c", "device_id": "1638"}


def setting(
    name: str, value: str, place: str = "/etc/environment", line: int | None = 1
) -> dict[str, object]:
    return {"name": name, "value": value, "place": place, "line": line}


def set_to(*settings: dict[str, object], **changes: object) -> dict[str, object]:
    return {"variables": list(settings), **changes}


def override(value: str, place: str = PROFILE, suffix: str = "") -> dict[str, object]:
    return set_to(setting(OVERRIDE + suffix, value, place))


def databases(*oldest: int, profile: int | None = 100) -> dict[str, object]:
    return {
        "profiles": [] if profile is None else [{"path": PROFILE, "modified": profile}],
        "miopen_databases": [
            {"path": f"/home/u{i}/.config/miopen", "files": 2, "oldest": change, "newest": 500}
            for i, change in enumerate(oldest)
        ],
    }


def in_session(*groups: str, user: str = "ann") -> dict[str, object]:
    return {"session": {"user": user, "groups": list(groups)}}


def visible(name: str, value: str) -> dict[str, object]:
    return set_to(setting(f"{name}_VISIBLE_DEVICES", value), **{"kfd.nodes": NODES})


WRONG_FORMS = [
    *("", "gfx1030", "10.3", "1030", "10.3.0.0", "10.3.0 ", "v10.3.0", "10,3,0", "10.-3.0"),
    *("64.0.0", "10.256.0", "10.3.256", "10.\u0663.0", "9" * 5000 + ".0.0"),
]
FORM_ROWS = [
    Row("gfx-override-form", "nowhere", {}, "pass", ("is not set",)),
    *[
        Row("gfx-override-form", f"right {v}", override(v), "pass", ("well-formed",))
        for v in ("10.3.0", "10.1.0", "0.0.0", "63.255.255")
    ],
    *[
        Row(
            "gfx-override-form",
            f"wrong {v}",
            override(v, "/etc/environment"),
            "fail",
            (f"/etc/environment:1: {OVERRIDE}={v}",),
        )
        for v in WRONG_FORMS
    ],
    Row(
        "gfx-override-form",
        "of one node",
        override("10", "/etc/environment", "_1"),
        "fail",
        ("VERSION_1=10",),
        "therock",
    ),
    Row("gfx-override-form", "of one node", override("10", suffix="_1"), "pass", ("is not set",)),
    Row(
        "dead-variables",
        "of one node",
        override("10.3.0", "/etc/environment", "_1"),
        "warn",
        ("VERSION_1=10.3.0 is read by ROCm 6 and newer only",),
    ),
    *[
        Row(
            "dead-variables",
            f"a word that MIOpen does not know, {word}",
            set_to(setting("MIOPEN_DEBUG_CONV_FFT", word)),
            "warn",
            (f"={word} is not a word that MIOpen knows",),
        )
        for word in ("off", "OFF", "on", "False")
    ],
    Row("foreign-modules", "none", {}, "pass", ("no variable",)),
    Row("foreign-modules", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
    Row(
        "foreign-modules",
        "own modules",
        set_to(setting("PYTHONPATH", "/home/ann/src", "/home/ann/.bashrc", 2)),
        "warn",
        ("/home/ann/.bashrc:2", "PYTHONPATH puts"),
    ),
    *[
        Row(
            "foreign-modules",
            name,
            set_to(setting(name, value)),
            "fail",
            (f"{name}={value}", "Remove"),
        )
        for name, value in (
            ("PYTHONPATH", "/opt/x/lib/python3.11/site-packages"),
            ("PYTHONHOME", "/opt/x"),
            ("LD_PRELOAD", "/opt/x/libhsa-runtime64.so.1"),
        )
    ],
    Row("gfx-override-form", "edited profile", override("10"), "warn", ("script again",)),
    Row("gfx-override-form", "other name", override("x", suffix="_X"), "pass", ("is not set",)),
    Row("gfx-override-form", "expands", override("$V"), "pass", ("depends on other", "=$V")),
    Row("gfx-override-form", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
VALUE_ROWS = [
    Row("gfx-override", "nowhere", {}, "pass", ("not set",)),
    Row("gfx-override", "that of the profile", override("10.3.0"), "pass", ("that of the stack",)),
    Row("gfx-override", "malformed", override("gfx1030"), "pass", ()),
    Row(
        "gfx-override",
        "native",
        override("10.1.0", "/home/ann/.bashrc"),
        "warn",
        ("/home/ann/.bashrc:1", "10.1.0", "rocm-5.7 sets 10.3.0"),
    ),
    Row(
        "gfx-override",
        "another major",
        override("11.0.0", "/etc/environment"),
        "fail",
        ("another major version",),
    ),
    Row(
        "gfx-override",
        "of one node",
        override("9.0.0", "/etc/environment", "_1"),
        "fail",
        ("VERSION_1=9",),
        "therock",
    ),
    Row("gfx-override", "edited profile", override("9.0.0"), "warn", ("script again", "10.3.0")),
    Row(
        "gfx-override",
        "native wheels",
        override("10.3.0"),
        "warn",
        ("is not that of the stack", "the stack therock sets none"),
        "therock",
    ),
    Row(
        "gfx-override",
        "native wheels everywhere",
        override("10.3.0", "/etc/environment"),
        "fail",
        ("hold no code for", "/etc/environment", "the stack therock sets none"),
        "therock",
    ),
    Row(
        "gfx-override",
        "native wheels after another stack",
        set_to(setting(OVERRIDE, "10.3.0", PROFILE), setting(OVERRIDE, "10.3.0", "x", None)),
        "warn",
        ("in a profile script", "the stack therock sets none"),
        "therock",
    ),
    Row(
        "gfx-override",
        "native wheels in the session alone",
        set_to(setting(OVERRIDE, "10.3.0", "environment", None)),
        "fail",
        ("hold no code for",),
        "therock",
    ),
    Row(
        "gfx-override",
        "native wheels and their own",
        override("10.1.0", "/etc/environment"),
        "warn",
        ("is not that of the stack",),
        "therock",
    ),
    Row("gfx-override", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
REACH_ROWS = [
    Row(
        "gfx-override-reach", "the stack's own", {}, "pass", ("RDNA1 card only", "10.3.0: measure")
    ),
    Row("gfx-override-reach", "in the profile", override("10.3.0"), "pass", ("rdna1-validate",)),
    Row(
        "gfx-override-reach",
        "in the process",
        set_to(setting(OVERRIDE, "10.3.0", "environment", None)),
        "pass",
        (),
    ),
    Row(
        "gfx-override-reach",
        "for all programs",
        override("10.3.0", "/etc/environment"),
        "warn",
        ("/etc/environment:1", "Leave the variable to the stack's profile"),
    ),
    Row(
        "gfx-override-reach",
        "native wheels",
        override("10.3.0", "/etc/environment"),
        "warn",
        ("reaches more than", "/etc/environment"),
        "therock",
    ),
    Row("gfx-override-reach", "none with native wheels", {}, "pass", ("not set it",), "therock"),
    Row("gfx-override-reach", "native", override("10.1.0", "/etc/environment"), "pass", ()),
    Row(
        "gfx-override-reach",
        "next to another GPU",
        {"kfd.nodes": [*NODES, IGPU]},
        "warn",
        ("reaches node 2 too: gfx90c", "firmware"),
    ),
    Row("gfx-override-reach", "unknown", unknown("kfd.nodes"), "pass", ("/x: Permission denied",)),
]
FILTER_ROWS = [
    Row("miopen-filters", "nowhere", {}, "pass", ("no other place",)),
    Row(
        "miopen-filters",
        "in the profile",
        set_to(setting("MIOPEN_DEBUG_CONV_FFT", "0", PROFILE)),
        "pass",
        (),
    ),
    Row(
        "miopen-filters",
        "same in other words",
        set_to(setting("MIOPEN_DEBUG_CONV_FFT", "disabled")),
        "pass",
        (),
    ),
    Row(
        "miopen-filters",
        "on again",
        set_to(setting("MIOPEN_DEBUG_CONV_DIRECT", "1", "/home/ann/.bashrc", 7)),
        "warn",
        ("/home/ann/.bashrc:7: MIOPEN_DEBUG_CONV_DIRECT=1", PROFILE, "measure again"),
    ),
    Row(
        "miopen-filters",
        "the last family off",
        set_to(setting("MIOPEN_DEBUG_CONV_GEMM", "0")),
        "warn",
        ("MIOPEN_DEBUG_CONV_GEMM=0",),
    ),
    Row(
        "miopen-filters",
        "one solver",
        set_to(setting("MIOPEN_DEBUG_FIND_ONLY_SOLVER", "GemmFwdRest")),
        "warn",
        ("GemmFwdRest",),
    ),
    Row(
        "miopen-filters",
        "no filter",
        set_to(setting("MIOPEN_LOG_LEVEL", "0"), setting("MIOPEN_DEBUG_CONV_GEMM", "1")),
        "pass",
        (),
    ),
    Row(
        "miopen-filters",
        "stack without",
        set_to(setting("MIOPEN_DEBUG_CONV_FFT", "0")),
        "warn",
        ("MIOPEN_DEBUG_CONV_FFT=0", "rocm-rdna1-52.sh"),
        "rocm-5.2",
    ),
    Row("miopen-filters", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
DATABASE_ROWS = [
    Row("miopen-databases", "none", databases(), "pass", ("no database",)),
    Row("miopen-databases", "newer", databases(100), "pass", ()),
    Row(
        "miopen-databases",
        "one older",
        databases(99, 300),
        "warn",
        ("/home/u0/.config/miopen: 2 files", "As their users: rm -r /home/u0/.config/miopen"),
    ),
    Row(
        "miopen-databases",
        "not provisioned",
        databases(99, profile=None),
        "warn",
        ("As soon as the stack is provisioned: rm -r",),
    ),
    Row("miopen-databases", "no filters", databases(99), "pass", ("no filters",), "rocm-5.2"),
    Row(
        "miopen-databases",
        "partly unknown",
        {**databases(), "unknown.miopen_databases./root": "/root: Permission denied"},
        "pass",
        (NOT_READ,),
    ),
    Row("miopen-databases", "unknown", unknown("miopen_databases"), "skip", (UNREAD,)),
    Row("miopen-databases", "profile unknown", unknown("profiles"), "skip", (UNREAD,)),
]
PROFILE_ROWS = [
    Row("other-profile", "none", {}, "pass", ("no profile script of another",)),
    Row("other-profile", "own", databases(), "pass", ()),
    Row(
        "other-profile",
        "two",
        {"profiles": [{"path": p, "modified": 1} for p in (OTHER_PROFILE, PROFILE)]},
        "warn",
        (f"rm {OTHER_PROFILE}.", "another stack than rocm-5.7"),
    ),
    Row("other-profile", "unknown", unknown("profiles"), "skip", (UNREAD,)),
]
VISIBLE_ROWS = [
    Row("visible-devices", "nowhere", {}, "pass", ("no variable hides",)),
    *[
        Row("visible-devices", f"{name} {value}", visible(name, value), status, words)
        for name, value, status, words in (
            ("ROCR", "0", "pass", ("ROCR_VISIBLE_DEVICES=0",)),
            ("ROCR", "GPU-deadbeef", "pass", ()),
            ("HIP", "0,1", "pass", ()),
            ("ROCR", "", "fail", ("hides every card", "/etc/environment:1: ROCR_VISIBLE")),
            ("ROCR", "-1", "fail", ()),
            ("HIP", "-1", "fail", ()),
            ("CUDA", "-1", "fail", ("CUDA_VISIBLE_DEVICES=-1", "Remove")),
            ("CUDA", "none", "fail", ()),
            ("HIP", "1", "fail", ()),
            ("HIP", "", "warn", ("hides none",)),
            ("CUDA", " ", "warn", ()),
            ("CUDA", "$GPUS", "pass", ()),
        )
    ],
    Row(
        "visible-devices",
        "HIP before CUDA",
        set_to(setting("CUDA_VISIBLE_DEVICES", "-1"), setting("HIP_VISIBLE_DEVICES", "0")),
        "pass",
        ("HIP_VISIBLE_DEVICES=0",),
    ),
    Row(
        "visible-devices",
        "number of cards unknown",
        {**visible("HIP", "1"), **unknown("kfd.nodes")},
        "pass",
        (),
    ),
    Row("visible-devices", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
ALLOCATOR = setting("PYTORCH_HIP_ALLOC_CONF", "expandable_segments:True", "/etc/environment", 3)
SPLIT = setting("PYTORCH_ALLOC_CONF", "max_split_size_mb:128, expandable_segments : True")


def driver(version: str, *settings: dict[str, object]) -> dict[str, object]:
    text = f"[drm] Initialized amdgpu {version} for 0000:03:00.0 on minor 1"
    message = {"place": "/var/log/dmesg", "line": 7, "text": text}
    return set_to(*settings, **{"kernel.messages": [message]})


ALLOCATOR_ROWS = [
    Row("expandable-segments", "not read by ROCm 5", set_to(ALLOCATOR), "pass", ("does not have",)),
    *(
        Row("expandable-segments", name, changes, status, words, "therock")
        for name, changes, status, words in [
            ("nowhere", {}, "pass", ("no variable sets",)),
            (
                "off",
                set_to(setting("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:False")),
                "pass",
                ("no variable sets",),
            ),
            (
                "Debian 13's driver",
                driver("3.61.0", ALLOCATOR),
                "fail",
                ("older than 3.64", "/etc/environment:3", "/var/log/dmesg:7"),
            ),
            ("a newer driver", driver("3.64.0", ALLOCATOR), "pass", ("at least 3.64", "dmesg:7")),
            ("a driver of two digits more", driver("3.100.0", ALLOCATOR), "pass", ("at least",)),
            ("with a split size", driver("3.64.0", SPLIT), "warn", ("may lose",)),
            (
                "an old kernel",
                set_to(ALLOCATOR, **{"kernel.release": "6.12.43+deb13-amd64"}),
                "fail",
                ("Linux 6.12.43+deb13-amd64 is older",),
            ),
            (
                "a kernel that may have it",
                set_to(ALLOCATOR, **{"kernel.release": "7.0.0-44-generic"}),
                "warn",
                ("hangs on a driver older than 3.64", "is not known"),
            ),
            (
                "an unknown kernel",
                set_to(ALLOCATOR, **{"kernel.release": None}),
                "warn",
                ("is not known",),
            ),
        ]
    ),
]
LIBRARIES = "/usr/local/lib:/opt/rocm-5.7.1/lib:$LD_LIBRARY_PATH"
LIBRARY_ROWS = [
    Row("library-path", "nowhere", {}, "pass", ("no folder of ROCm",)),
    Row("library-path", "other", set_to(setting("LD_LIBRARY_PATH", "/opt/rocky/lib")), "pass", ()),
    Row(
        "library-path",
        "wheel that keeps its own",
        set_to(setting("LD_LIBRARY_PATH", LIBRARIES)),
        "pass",
        ("PyTorch 2.2.2 loads its own", "/opt/rocm-5.7.1/lib"),
    ),
    Row(
        "library-path",
        "wheel that does not",
        set_to(setting("LD_LIBRARY_PATH", "/opt/rocm", "/home/ann/.bashrc", 4)),
        "fail",
        ("PyTorch 1.13.1 brings", "/home/ann/.bashrc:4"),
        "rocm-5.2",
    ),
    Row(
        "library-path",
        "wheel of which it is not known",
        set_to(setting("LD_LIBRARY_PATH", "/opt/rocm")),
        "warn",
        ("may replace the ROCm",),
        "therock",
    ),
    Row(
        "library-path",
        "PyTorch of the distribution",
        set_to(setting("LD_LIBRARY_PATH", LIBRARIES)),
        "warn",
        ("before the distribution's",),
        options={"pytorch_source": "distro"},
    ),
    Row("library-path", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]


def conflict(case: str, first: str, second: str, status: str, name: str = "HSA_XNACK") -> Row:
    changes = set_to(setting(name, "1", first), setting(name, "0", second, 5))
    words = (f"{name}: '1' in {first}:1, '0' in {second}:5",) if status == "warn" else ()
    return Row("variable-conflicts", case, changes, status, words)


CONFLICT_ROWS = [
    Row("variable-conflicts", "nowhere", {}, "pass", ("no variable has several",)),
    conflict("system and home", "/etc/environment", "/home/ann/.bashrc", "warn"),
    conflict("two files of a home", "/home/ann/.bashrc", "/home/ann/.config/fish/a", "warn"),
    conflict("two homes", "/home/ann/.bashrc", "/home/bob/.bashrc", "pass"),
    conflict("one file", "/etc/environment", "/etc/environment", "pass"),
    conflict("login and service", "/etc/environment", f"{UNITS}/a.service", "pass"),
    conflict("two services", f"{UNITS}/a.service", f"{UNITS}/b.service", "pass"),
    conflict("unit", "/etc/systemd/system.conf", f"{UNITS}/a.service.d/b.conf", "warn"),
    conflict("unit and drop-in", f"{UNITS}/a.service", f"{UNITS}/a.service.d/b.conf", "warn"),
    conflict("assessed elsewhere", "/etc/environment", "/etc/profile", "pass", OVERRIDE),
    conflict("list", "/etc/environment", "/etc/profile", "pass", "LD_LIBRARY_PATH"),
    conflict("of the stack", "/etc/environment", "/etc/profile", "pass", "HSA_ENABLE_SDMA"),
    Row(
        "variable-conflicts",
        "same value",
        set_to(setting("HSA_XNACK", "1"), setting("HSA_XNACK", "1", "/etc/profile")),
        "pass",
        (),
    ),
    Row("variable-conflicts", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
DEAD_ROWS = [
    Row("dead-variables", "nowhere", {}, "pass", ("no variable",)),
    *[
        Row("dead-variables", name, set_to(setting(name, "1")), "warn", (f"{name}=1 {words}",))
        for name, words in (
            ("PYTORCH_ROCM_ARCH", "is read when PyTorch is built"),
            ("HIP_FORCE_COARSE_GRAIN", "is in no source"),
            ("ROC_ENABLE_PRE_VEGA", "is about gfx8"),
            ("MIOPEN_DEBUG_CONV_GEMM", "is the default"),
        )
    ],
    Row(
        "dead-variables",
        "alive",
        set_to(setting("MIOPEN_DEBUG_CONV_GEMM", "0"), setting("MIOPEN_DEBUG_CONV_FFT", "1")),
        "pass",
        (),
    ),
    Row("dead-variables", "unknown", UNREAD_PLACE, "pass", (NOT_READ,)),
]
SESSION_ROWS = [
    Row("session-groups", "fresh", {}, "pass", ("session of ann",)),
    Row(
        "session-groups",
        "old",
        {**in_session("ann"), "users": [{"name": "ann", "exists": True, "groups": ["render"]}]},
        "warn",
        ("did not log in again since joining render", "groups of the session: ann", "Log out"),
    ),
    Row(
        "session-groups",
        "no member at all",
        {**in_session("ann"), "users": [{"name": "ann", "exists": True, "groups": []}]},
        "skip",
        ("see groups",),
    ),
    Row("session-groups", "of another user", in_session(user="bob"), "skip", ("bob",)),
    Row(
        "session-groups",
        "of root",
        {
            **in_session("root", user="root"),
            "users": [{"name": "root", "exists": True, "groups": ["root"]}],
        },
        "skip",
        ("root",),
    ),
    Row("session-groups", "unknown", unknown("session"), "skip", (UNREAD,)),
]
ROWS = [
    *FORM_ROWS,
    *VALUE_ROWS,
    *REACH_ROWS,
    *FILTER_ROWS,
    *DATABASE_ROWS,
    *PROFILE_ROWS,
    *VISIBLE_ROWS,
    *ALLOCATOR_ROWS,
    *LIBRARY_ROWS,
    *CONFLICT_ROWS,
    *DEAD_ROWS,
    *SESSION_ROWS,
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.case[:40]}")
def test_check(row: Row, make_facts: MakeFacts) -> None:
    assert_row(row, make_facts)
