"""Environments with a package that is built from source: by whom, from what, into what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from integration.venvs.conftest import UV, MakeSpec, spec_maker
from rdna1.catalog.pytorch import SourceDistribution
from rdna1.mirror import download_wheels
from rdna1.target.venvs import unprivileged
from rdna1.target.venvs.build import BuildError
from rdna1.target.venvs.ensure import ensure
from rdna1.target.venvs.spec import Spec
from rdna1.wheels import Wanted, locked_files
from support.boxes import ROOT
from support.wheels import serve, write_fake_wheel, write_source

PIP = ROOT / ".cache" / "uv" / "bin" / "pip"
# That of the distribution: others have to be able to run it.
PYTHON = Path("/usr/bin/python3")
SOURCE = SourceDistribution(
    "rocm",
    ["rocm-sdk-core==10.1.0"],
    [],
    ["setuptools>=70.2", "wheel"],
    {"ROCM_SDK_TARGET_FAMILY": "gfx1012"},
)
SETUP = """
import os
from setuptools import setup
open("rocm_sdk.py", "w").close()
{code}
setup(
    name="rocm",
    version="10.1.0",
    py_modules=["rocm_sdk"],
    install_requires=["rocm-sdk-core==10.1.0"],
    description=f"{{os.geteuid()}} {{os.environ['ROCM_SDK_TARGET_FAMILY']}}",
)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others can enter, as that of an installation; pytest's own is closed."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def own_cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of the loopback is another index in another test."""
    monkeypatch.setenv("UV_CACHE_DIR", str(place / "cache"))


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real wheels of what builds a source distribution."""
    folder = tmp_path_factory.mktemp("tools")
    options = ["--quiet", "--only-binary=:all:", f"--dest={folder}"]
    subprocess.run([PIP, "download", *options, "pip", *SOURCE.build_requires], check=True)
    return folder


@pytest.fixture
def index(place: Path, tools: Path) -> Iterator[str]:
    """An index with what builds, and fakes of AMD's wheels."""
    folder = place / "index"
    for wheel in tools.glob("*.whl"):
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, project)
    write_fake_wheel(folder, "torch", "2.12.0+rocm10.1.0", ["rocm==10.1.0"])
    write_fake_wheel(folder, "rocm_sdk_core", "10.1.0")
    write_fake_wheel(folder, "msgspec", "0.19.0")
    with serve(folder) as address:
        yield address


@pytest.fixture
def wanted(index: str) -> Wanted:
    """What the lock holds: torch needs the package that has to be built."""
    version = subprocess.check_output([PYTHON, "-c", _VERSION], text=True).strip()
    stack = ["torch==2.12.0+rocm10.1.0"]
    return Wanted(stack, ["msgspec"], version, index, index, [SOURCE])


_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def archive(place: Path, code: str = "") -> Path:
    """The source distribution, whose build runs some code."""
    return write_source(place / "index", "rocm", "10.1.0", SETUP.format(code=code))


@pytest.fixture
def make_spec(place: Path, wanted: Wanted) -> MakeSpec:
    """A specification with the lock of the index as it is now; changes by name."""
    sources = [{"name": SOURCE.name, "environment": SOURCE.environment}]
    return spec_maker(place, wanted, stack="therock", python_path=str(PYTHON), sources=sources)


def built(spec: Spec) -> tuple[str, str]:
    """Who built the package for which card, as its build has written it down."""
    code = "from importlib.metadata import metadata; print(metadata('rocm')['Summary'])"
    told = subprocess.check_output([spec.link / "bin/python", "-c", code], text=True)
    who, card = told.split()
    return who, card


def test_a_source_is_built_by_nobody_and_installed(make_spec: MakeSpec, place: Path) -> None:
    runs = place / "runs"
    runs.touch()
    runs.chmod(0o666)
    archive(place, f"print(os.geteuid(), file=open({str(runs)!r}, 'a'))")
    spec = make_spec()
    spec.prefix.mkdir(mode=0o700)  # as under the umask of somebody's login
    done = ensure(spec)
    assert done.packages["rocm"] == "10.1.0"
    assert "setuptools" not in done.packages, "what builds is not what is installed"
    who, card = built(spec)
    assert card == "gfx1012"
    assert int(who) in range(61184, 65520) if os.geteuid() == 0 else int(who) == os.geteuid()
    assert set(runs.read_text().split()) == {who}, "nobody else ran it, to lock it or to find it"
    assert list(spec.folder.glob(".building-*")) == []
    assert not ensure(spec).changed
    other = [{"name": "rocm", "environment": {"ROCM_SDK_TARGET_FAMILY": "gfx1010"}}]
    assert ensure(spec._replace(sources=other)).changed


# What builds on a machine runs there with the Python that is there.
AS_A_USER = """
import json, sys
from pathlib import Path
from rdna1.target.venvs.ensure import ensure
from rdna1.target.venvs.spec import Spec
values = json.load(open(sys.argv[1]))
paths = {name: Path(values.pop(name)) for name in ("prefix", "uv", "wheel")}
ensure(Spec(**values, **paths))
"""


@needs_root
def test_a_user_builds_without_root(make_spec: MakeSpec, place: Path) -> None:
    archive(place)
    spec = make_spec(uv=Path(shutil.copy(UV, place)))
    shutil.copytree(ROOT / "installer" / "rdna1", place / "python" / "rdna1")
    (place / "spec.json").write_text(json.dumps(spec._asdict(), default=str))
    spec.prefix.mkdir()
    os.chown(spec.prefix, 64000, 64000)
    user = ["setpriv", "--reuid", "64000", "--regid", "64000", "--clear-groups"]
    home = ["env", f"HOME={spec.prefix}", f"PYTHONPATH={place / 'python'}"]
    command = [*user, *home, str(PYTHON), "-B", "-c", AS_A_USER, str(place / "spec.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    who, card = built(spec)
    assert card == "gfx1012"
    assert who in ("64000", "0"), "or root of a user namespace of the user's own"
    assert spec.link.resolve().stat().st_uid == 64000


def test_a_source_is_built_from_a_mirror_without_a_network(
    make_spec: MakeSpec, place: Path, wanted: Wanted
) -> None:
    archive(place)
    spec = make_spec()
    download_wheels(locked_files(spec.lock, wanted, UV), place / "mirror")
    nowhere = "http://127.0.0.1:9/"
    offline = spec._replace(index_url=nowhere, project_index_url=nowhere)
    ensure(offline._replace(find_links=str(place / "mirror")))
    assert built(spec)[1] == "gfx1012"


@pytest.mark.parametrize("offline", [False, True], ids=["index", "mirror"])
def test_a_source_with_another_hash_is_refused(
    make_spec: MakeSpec, place: Path, wanted: Wanted, offline: bool
) -> None:
    archive(place)
    spec = make_spec()
    ran = place / "ran"
    if offline:
        download_wheels(locked_files(spec.lock, wanted, UV), place / "mirror")
        spec = spec._replace(find_links=str(place / "mirror"))
    changed = archive(place, f"open({str(ran)!r}, 'w').close()")
    if offline:
        shutil.copy(changed, place / "mirror")
    with pytest.raises(BuildError, match=r"rocm.*hash.*Remedy"):
        ensure(spec)
    assert not ran.exists()
    assert not spec.link.exists()


A_LINK = """
home = os.environ["HOME"]
if not os.path.islink(home + "/wheels"):
    os.rename(home + "/wheels", home + "/elsewhere")
    os.symlink("elsewhere", home + "/wheels")
"""
RUN_BY_PYTHON = """
import setuptools.command.install_lib as module
run = module.install_lib.run
def more(self):
    run(self)
    open(self.install_dir + "/rdna1.pth", "w").write("import os")
module.install_lib.run = more
"""
# Each of these has to fail; what does not is told.
FORBIDDEN = """
import setuptools
attempts = {
    "read /etc/shadow": lambda: open("/etc/shadow"),
    "write to /opt": lambda: open("/opt/rdna1-test", "w"),
    "write to the tools": lambda: open(setuptools.__file__, "a"),
    "write to the sources": lambda: open(os.path.dirname(os.environ["HOME"]) + "/x", "w"),
    "become root": lambda: os.setuid(0),
    "take root's group": lambda: os.setgid(0),
}
done = []
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        continue
    done.append(name)
if set(os.getgroups()) - {os.getgid()}:
    done.append("be in groups")
if "NoNewPrivs:\\t1" not in open("/proc/self/status").read():
    done.append("get new rights")
raise SystemExit(f"it could {done}")
"""


def failure(spec: Spec) -> str:
    """What is said of a build that has to fail, and leaves nothing behind."""
    with pytest.raises(BuildError) as caught:
        ensure(spec)
    assert not spec.link.exists()
    assert list(spec.folder.glob(".building-*")) == []
    return str(caught.value)


@needs_root
def test_what_a_build_may_not_do(make_spec: MakeSpec, place: Path) -> None:
    archive(place, FORBIDDEN)
    assert "it could []" in failure(make_spec())


@needs_root
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (A_LINK, "wheels of the build cannot be opened: Not a directory"),
        (RUN_BY_PYTHON, "with rdna1.pth, which every Python would run"),
    ],
)
def test_what_a_build_may_not_leave(make_spec: MakeSpec, place: Path, code: str, said: str) -> None:
    archive(place, code)
    assert said in failure(make_spec())


def test_a_build_has_no_network_where_the_kernel_permits_it(
    make_spec: MakeSpec, place: Path, index: str
) -> None:
    if subprocess.run(["unshare", "--net", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("no network namespaces here")
    archive(place, f"import urllib.request; urllib.request.urlopen({index!r})")
    with pytest.raises(BuildError, match="Network is unreachable"):
        ensure(make_spec())


@needs_root
@pytest.mark.parametrize("isolated", [True, False])
def test_what_a_build_leaves_behind_is_ended(
    make_spec: MakeSpec, place: Path, isolated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isolated:  # as in a container without the right to namespaces
        monkeypatch.setattr(unprivileged, "_isolation", lambda _: [])
    code = (
        "import subprocess\n"
        "subprocess.Popen(['sleep', '1234.5'], start_new_session=True, "
        "stdin=-3, stdout=-3, stderr=-3)"
    )
    archive(place, code)
    ensure(make_spec())
    found = subprocess.run(["pgrep", "-f", "sleep 1234.5"], stdout=subprocess.DEVNULL, check=False)
    assert found.returncode == 1
