"""How long a real PyTorch wheel takes from an index on loopback: pip against the role's uv.

Both start with an empty cache and end with an environment whose bytecode is compiled; both verify
every hash. Making the lock file is not in the time. The wheel is torch's CPU build from the folder
that pip on this machine is set to (find-links); what it needs comes from pip's own index.

    python tests/bench/wheel_install.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from rdna1.target.venvs.ensure import ensure
from rdna1.target.venvs.spec import Spec, digest
from rdna1.wheels import Wanted, make_lock
from support.wheels import serve, write_fake_wheel

ROOT = Path(__file__).parents[2]
PIP = ROOT / ".cache" / "uv" / "bin" / "pip"
UV = Path(sys.executable).with_name("uv")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def fill_index(folder: Path) -> Path:
    """Fill an index with torch and what it needs, and give torch's wheel."""
    asked = [str(PIP), "config", "get", "global.find-links"]
    links = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    tags = set(sys_tags())
    wheels = [path for place in map(Path, links) for path in place.glob("torch-*.whl")]
    fitting = [path for path in wheels if tags & parse_wheel_filename(path.name)[3]]
    if not fitting:
        sys.exit("no wheel of torch for this Python: name its folder as pip's find-links")
    download = folder.with_name("download")
    options = ["--quiet", "--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={download}"]
    subprocess.run([PIP, "download", *options, fitting[0]], check=True)
    for path in download.iterdir():
        project = folder / parse_wheel_filename(path.name)[0]
        project.mkdir(parents=True, exist_ok=True)
        path.rename(project / path.name)
    return next(folder.glob("torch/*.whl"))


def with_pip(folder: Path, address: str, lock: str) -> None:
    """A venv with pip."""
    requirements = folder / "requirements.txt"
    requirements.write_text(lock)
    environment = folder / "pip"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "pip"), "--isolated", "install", "--quiet"]
    options = ["--no-cache-dir", "--no-deps", "--require-hashes", f"--index-url={address}"]
    subprocess.run(
        [*pip, *options, "--disable-pip-version-check", f"--requirement={requirements}"], check=True
    )


def with_uv(folder: Path, address: str, lock: str) -> None:
    """An environment as the role builds it."""
    wheel = write_fake_wheel(folder / "project", "rdna1", "0.1.0")
    ensure(
        Spec(
            stack="bench",
            prefix=folder / "uv",
            uv=UV,
            wheel=wheel,
            wheel_digest=digest(wheel),
            python=PYTHON,
            python_path=sys.executable,
            lock=lock,
            index_url=address,
        )
    )


def main(rounds: int) -> None:
    """Measure and print."""
    seconds: dict[str, list[float]] = {"pip": [], "uv": []}
    with tempfile.TemporaryDirectory() as text:
        index = Path(text) / "index"
        wheel = fill_index(index)
        size = wheel.stat().st_size / 1e6
        with serve(index) as address:
            torch = f"torch=={parse_wheel_filename(wheel.name)[1]}"
            lock = make_lock(Wanted([torch], [], PYTHON, address, address), UV)
            for number in range(rounds):
                for name, install in (("pip", with_pip), ("uv", with_uv)):
                    with tempfile.TemporaryDirectory(dir=text) as folder:
                        start = time.monotonic()
                        install(Path(folder), address, lock)
                        seconds[name].append(time.monotonic() - start)
                    print(f"round {number + 1}: {name} {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{wheel.name} ({size:.0f} MB), medians of {rounds}:")
    print(
        f"pip {medians['pip']:.1f} s, uv {medians['uv']:.1f} s, "
        f"uv / pip = {medians['uv'] / medians['pip']:.2f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
