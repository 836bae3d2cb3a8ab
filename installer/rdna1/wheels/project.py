"""This project's own wheel, which the environment of every machine holds."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from rdna1.errors import InputError
from rdna1.target.credentials import text_without_credentials
from rdna1.target.exclusive_lock import exclusive_lock, lock_file
from rdna1.target.venvs.spec import digest
from rdna1.target.venvs.uv_variables import uv_variables

# Below the project: what uv_build takes its wheel from (pyproject.toml says where that is).
_METADATA = ("pyproject.toml", "README.md", "LICENSE")
_PACKAGE = "installer/rdna1"
_CACHE = ".cache/wheels"


class WheelError(InputError):
    """The wheel could not be built."""


def project_wheel(project: Path, uv: Path) -> Path:
    """Give the wheel of the sources as they are now, built only where these were not built before.

    The same sources give the same bytes, so that an unchanged wheel is not copied again.

    Args:
        project: root folder of this project.
        uv: the program.

    Raises:
        WheelError: with what uv said, or it could not be started.
        OSError: a source cannot be read, or the cache cannot be written.
        ExclusiveLockError: another run builds it and does not end.
    """
    cache = project / _CACHE
    folder = cache / _digest(project)
    cache.mkdir(parents=True, exist_ok=True)
    # The plays of all hosts of a fleet want it at the same time.
    with exclusive_lock(lock_file(cache)):
        if not any(folder.glob("*.whl")):
            _build(project, uv, folder)
    return next(folder.glob("*.whl"))


def _digest(project: Path) -> str:
    """Return the short hash of names and contents of all sources."""
    modules = (
        path
        for path in (project / _PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    found = hashlib.sha256()
    for path in [*(project / name for name in _METADATA), *sorted(modules)]:
        found.update(f"{path.relative_to(project)} {digest(path)}\n".encode())
    return found.hexdigest()[:16]


def _build(project: Path, uv: Path, folder: Path) -> None:
    """Build next to the place and rename: a killed build leaves no half of a wheel there."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
        command = [str(uv), "build", "--quiet", "--wheel", "--no-config", "--out-dir", draft]
        try:
            subprocess.run(  # noqa: S603 (an argument list, no shell)
                # What root installs no settings of the caller or of a folder above may steer.
                [*command, str(project)],
                env=uv_variables(),
                check=True,
                capture_output=True,
                text=True,
            )
        except OSError as error:
            raise WheelError(f"{uv}: {error.strerror}. Remedy: set pytorch_uv") from error
        except subprocess.CalledProcessError as error:
            said = text_without_credentials(error.stderr)
            raise WheelError(f"this project's wheel could not be built: {said}") from error
        folder.mkdir(exist_ok=True)
        for wheel in Path(draft).glob("*.whl"):
            wheel.replace(folder / wheel.name)
