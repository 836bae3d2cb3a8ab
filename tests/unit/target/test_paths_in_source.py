"""One way into homes: what runs on a machine touches no path by its name, with named exceptions.

Whatever lies in a home may be another thing when it is opened than when it was looked at. So paths
are read through `rdna1.target.rootfs` or `rdna1.target.homes`, which go along them by descriptors
with the rights of a home's owner. This reads the source for everything that takes a path instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

INSTALLER = Path(__file__).parents[3] / "installer"
ROOMS = [
    *(f"rdna1/{room}" for room in ("target", "fix", "preflight")),
    "ansible_plugins/modules",
]

# What works on paths by name, and why nobody's home is among them unless it is the caller's own.
EXCEPTIONS = {
    "rdna1/target/homes.py": "the way in itself: opens the root folder that it starts from",
    "rdna1/target/mounts.py": "/proc/self",
    "rdna1/target/rights.py": "/proc/self",
    "rdna1/target/exclusive_lock.py": "locks in folders of root's or the caller's own, and /proc",
    "rdna1/target/folders.py": "makes folders that are named by the roles, not by users",
    "rdna1/target/whole_file.py": "files that are named by the roles, in folders held open",
    "rdna1/target/facts/system.py": "asks whether the root folder itself is a mount",
    "rdna1/target/dpkg_locks.py": "the locks of dpkg and apt, and /proc",
    "rdna1/target/apt_subset.py": "a work folder that apt gets, in root's cache or the caller's",
    "rdna1/target/snapshot/removing.py": "records below /var/lib/rdna1, or the caller's own",
    "rdna1/target/snapshot/intended.py": "records below /var/lib/rdna1",
    "rdna1/target/snapshot/records.py": "records below /var/lib/rdna1, or the caller's own",
    "rdna1/target/snapshot/runs.py": "records below /var/lib/rdna1, or the caller's own",
    "rdna1/target/venvs/archives.py": "files of a mirror's copy, compared by hash",
    "rdna1/target/venvs/build.py": "files in a workshop, where nobody else writes",
    "rdna1/target/venvs/built_wheel.py": "opens the folder above that of a build, root's own",
    "rdna1/target/venvs/ensure.py": "environments below /opt/rdna1, or the caller's own",
    "rdna1/target/venvs/execstack.py": "an environment that is being built: root's or the caller's",
    "rdna1/target/venvs/ownership.py": "environments below /opt/rdna1, or the caller's own",
    "rdna1/target/venvs/spec.py": "the program and the wheel that a build is given",
    "rdna1/target/venvs/unprivileged.py": "/proc, /run/systemd and a new file in a workshop",
    "rdna1/target/venvs/workshop.py": "a workshop among the environments, before the build writes",
    "rdna1/target/venvs/uv_locks.py": "uv's folders below /opt/rdna1, or the caller's own",
    "ansible_plugins/modules/rdna1_apt.py": "times of apt's lists",
    "ansible_plugins/modules/rdna1_apt_subset.py": "the work folder in root's cache",
    "ansible_plugins/modules/rdna1_apt_key.py": "apt's keyrings",
    "ansible_plugins/modules/rdna1_dpkg.py": "apt's archives, and folders that packages are in",
    "ansible_plugins/modules/rdna1_venv.py": "copies of uv and the wheel, compared by hash",
    "ansible_plugins/modules/rdna1_facts.py": "asks whether the root folder itself is there",
    "ansible_plugins/modules/rdna1_rollback.py": "records in /var/lib, or the caller's own",
    "ansible_plugins/modules/rdna1_settings.py": "settings in /etc and /usr, or the caller's own",
    "ansible_plugins/modules/rdna1_validate.py": "reports in /var/lib, or the caller's own",
}

OF_OS = frozenset(
    """
    access chflags chmod chown fwalk getxattr lchmod lchown link listdir listxattr lstat
    makedirs mkdir mkfifo mknod open pathconf readlink remove removedirs removexattr rename
    renames replace rmdir scandir setxattr stat statvfs symlink truncate unlink utime walk
    """.split()  # noqa: SIM905 - one column of names would hide the rest
)
OF_OS_PATH = frozenset(
    """
    exists getatime getctime getmtime getsize isdir isfile islink ismount lexists realpath
    samefile
    """.split()  # noqa: SIM905 - one column of names would hide the rest
)
# Names that only paths have; of a string, `replace` takes two arguments.
OF_PATH = frozenset(
    """
    atomic_move chmod exists glob hardlink_to is_dir is_file is_mount is_symlink iterdir
    lchmod lstat mkdir open read_bytes read_text readlink rename replace resolve rglob rmdir
    samefile stat symlink_to touch unlink write_bytes write_text
    """.split()  # noqa: SIM905 - one column of names would hide the rest
)
OTHERS = frozenset(
    ["open", "glob.glob", "glob.iglob", "sqlite3.connect", "zipfile.ZipFile", "fileinput.input"]
)
MODULES = frozenset(["os", "os.path", "shutil", "tempfile", "glob", "io"])
HARMLESS = frozenset(
    ["shutil.get_terminal_size", "glob.escape", "tempfile.TemporaryFile", "msgspec.structs.replace"]
)


def dotted(node: ast.expr) -> str:
    """Return a name with its dots, empty for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def takes_path(name: str) -> bool:
    """Return whether a function of this name takes a path, or makes one."""
    room, _, last = name.rpartition(".")
    if name in HARMLESS:
        return False
    return (
        name in OTHERS
        or room in ("shutil", "tempfile")
        or (room in ("os", "io") and last in OF_OS)
        or (room == "os.path" and last in OF_OS_PATH)
        or (room in ("Path", "pathlib.Path") and last in OF_PATH)
    )


def is_by_descriptor(call: ast.Call) -> bool:
    """Return whether a call of a function of os names a folder, or a thing, by descriptor."""
    if any(keyword.arg and keyword.arg.endswith("dir_fd") for keyword in call.keywords):
        return True
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr):
        start = first.values[0]
        return isinstance(start, ast.Constant) and start.value == "/proc/self/fd/"
    return first is not None and "descriptor" in dotted(first).rpartition(".")[2]


def is_of_path(call: ast.Call) -> bool:
    """Return whether a call is of a method that only paths have."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in OF_PATH:
        return False
    if dotted(function) in HARMLESS:
        return False
    if function.attr == "replace" and len(call.args) != 1:
        return False
    # The methods of RootFs have the same names.
    return not dotted(function.value).endswith("rootfs")


def violations(source: str) -> Iterator[str]:
    """Line and name of everything that takes a path by its name."""
    allowed: set[ast.expr] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name.startswith("os.") and is_by_descriptor(node):
                allowed.add(node.func)
            elif not takes_path(name) and is_of_path(node):
                yield f"{node.lineno}: .{name.rpartition('.')[2] or ast.unparse(node.func)}"
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                if takes_path(f"{node.module}.{alias.name}"):
                    yield f"{node.lineno}: from {node.module} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in MODULES and alias.asname:
                    yield f"{node.lineno}: import {alias.name} as {alias.asname}"
        if isinstance(node, (ast.Name, ast.Attribute)) and node not in allowed:
            name = dotted(node)
            if takes_path(name):
                yield f"{node.lineno}: {name}"


def modules() -> list[str]:
    """All modules that run on a machine, by their paths below the installer."""
    found = [path for room in ROOMS for path in sorted((INSTALLER / room).rglob("*.py"))]
    return [str(path.relative_to(INSTALLER)) for path in found]


@pytest.mark.parametrize("module", modules())
def test_a_path_is_touched_by_the_one_way_in(module: str) -> None:
    found = list(violations((INSTALLER / module).read_text(encoding="utf-8")))
    if module in EXCEPTIONS:
        assert found, f"{module} touches no path any more: take it out of EXCEPTIONS"
    else:
        assert not found, (
            f"{module}: {'; '.join(found)}. Read it through rdna1.target.rootfs or "
            "rdna1.target.homes; where no home can be meant, name the module in EXCEPTIONS with why"
        )


def test_every_exception_is_a_module() -> None:
    assert set(EXCEPTIONS) <= set(modules())


@pytest.mark.parametrize(
    "source",
    [
        "open(path)",
        "text = Path(path).read_text()",
        "with path.open() as file: pass",
        "os.open(path, os.O_RDONLY)",
        "os.stat(path)",
        "os.stat(f'/home/{name}')",
        "list(map(os.path.exists, paths))",
        "sorted(paths, key=Path.stat)",
        "os.scandir(home)",
        "[*home.iterdir()]",
        "home.joinpath('x').exists()",
        "(home / 'x').write_bytes(data)",
        "draft.replace(path)",
        "from os import open as o, listdir",
        "from shutil import copyfile",
        "import os as o",
        "shutil.rmtree(path)",
        "tempfile.mkdtemp(dir=home)",
        "tarfile.open(path)",
        "zipfile.ZipFile(path)",
        "io.open(path)",
        "glob.glob(home)",
        "module.atomic_move(draft, path)",
    ],
)
def test_the_rule_finds(source: str) -> None:
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "os.open(name, flags, dir_fd=place.descriptor)",
        "os.rename(a, b, src_dir_fd=x, dst_dir_fd=y)",
        "os.scandir(descriptor)",
        "os.utime(self.descriptor, ns=times)",
        "os.open(f'/proc/self/fd/{pointer}', flags)",
        "os.fstat(file)",
        "rootfs.exists(path)",
        "self._rootfs.exists(path)",
        "text.replace('a', 'b')",
        "os.path.join(a, b)",
        "Path(path).parent",
        "tree.look(path)",
    ],
)
def test_the_rule_lets_be(source: str) -> None:
    assert not list(violations(source))
