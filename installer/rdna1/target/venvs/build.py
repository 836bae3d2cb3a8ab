"""Build one environment with uv."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..credentials import text_without_credentials
from ..exclusive_lock import ExclusiveLockError
from .archives import ArchiveError, archive_in, fetch_archive
from .built_wheel import BuiltWheelError
from .ownership import open_way
from .spec import Spec, digest, entry_name
from .unprivileged import how_it_ended
from .uv_locks import begin_environment, close_cache, close_lock, end_environment
from .uv_settings import only_wheels, settings
from .uv_variables import uv_variables
from .workshop import Workshop, WorkshopError, workshop


class BuildError(Exception):
    """uv failed; the message is what it printed."""


def refuse_another(path: Path, wanted: str) -> None:
    """Refuse a file that is not the one that was copied; whoever could write the copy changed it.

    Args:
        path: of the file in its place, where nobody else can write.
        wanted: its SHA-256, empty for any.

    Raises:
        BuildError: it is another one.
        OSError: it cannot be read.
    """
    if wanted and digest(path) != wanted:
        kind = "wheel" if path.suffix == ".whl" else "program"
        raise BuildError(f"{path} is not the {kind} that was copied. Remedy: run again")


class Uv:
    """uv with the settings of a machine.

    Args:
        spec: names the program and the folders.
        inherited: file descriptors that uv keeps open, so that a lock outlives a killed caller.
    """

    def __init__(self, spec: Spec, inherited: Sequence[int] = ()) -> None:
        """Keep what every call needs, and make sure that it is the uv that was copied.

        Raises:
            BuildError: it is another one.
            OSError: it cannot be read, or the folder of the cache cannot be made.
        """
        self._spec = spec
        self._inherited = inherited
        refuse_another(spec.uv, spec.uv_digest)
        close_cache(self._cache)

    def install_python(self) -> str:
        """Have uv install a Python of its own unless it has, and give the version to ask for.

        Raises:
            BuildError: no such Python, no network, or an archive that is not the known one.
            OSError: the folder of the Pythons cannot be made.
        """
        mirror = self._spec.python_mirror
        self._close_lock(self._pythons)
        self(
            "python",
            "install",
            "--no-bin",
            *(["--mirror", mirror] if mirror else []),
            self._spec.python,
        )
        return self._spec.python

    def build(self, environment: Path) -> None:
        """Make an environment, which must not exist.

        Raises:
            BuildError: with what uv said, or this project's wheel is another one.
            OSError: this project's wheel cannot be read, or a folder cannot be made.
        """
        spec = self._spec
        refuse_another(spec.wheel, spec.wheel_digest)
        python = spec.python_path or self.install_python()
        kind = ["--no-python-downloads"] if spec.python_path else ["--managed-python"]
        shared = [] if spec.lock else ["--system-site-packages"]
        begin_environment(environment)
        self("venv", "--python", python, *kind, *shared, str(environment))
        target = ["--python", str(environment)]
        # What may fail goes before what takes long.
        self._install_sources(environment, ["--python", python, *kind])
        for wheels, index in spec.sections():
            self._install(target, wheels, index)
        self._pip_install(target, "--offline", str(spec.wheel))
        if spec.lock:
            self("pip", "check", *target)
        end_environment(environment)

    def _install(self, target: Sequence[str], wheels: str, index: str) -> None:
        """Install a section of the lock."""
        if wheels.strip():
            options = ["--require-hashes", "--no-build", *self._origin(index)]
            self._pip_install(target, *options, "--requirement", "-", given=wheels)

    def _pip_install(self, target: Sequence[str], *arguments: str, given: str = "") -> None:
        """Install packages; compiled, as users of the environment cannot write there."""
        options = ["--no-deps", "--compile-bytecode"]
        self("pip", "install", *target, *options, *arguments, given=given)

    def _install_sources(self, environment: Path, python: Sequence[str]) -> None:
        """Build what the stack's index has no wheel of, without any rights, and install it."""
        built = self._spec.source_entries()
        if not built:
            return
        try:
            # Whoever builds has to get to the tools.
            open_way(self._spec.prefix)
            with workshop(self._spec.folder) as shop:
                self("venv", *python, str(shop.tools))
                self._close_lock(shop.tools)
                self._install(["--python", str(shop.tools)], *self._spec.build_section())
                for source in self._spec.sources:
                    entry = built.get(source["name"])
                    if entry:
                        wheel = shop.build(entry, self._archive(entry, shop), source["environment"])
                        target = ["--python", str(environment)]
                        self._pip_install(target, "--offline", str(wheel))
        except (ArchiveError, BuiltWheelError, WorkshopError) as error:
            raise BuildError(str(error)) from error

    def _archive(self, entry: str, shop: Workshop) -> Path:
        """Get the source distribution of an entry, which uv has no way to do without a build."""
        spec, name = self._spec, entry_name(entry)
        if spec.find_links:
            return archive_in(Path(spec.find_links), entry, shop.sources)
        described, pylock = (shop.sources / f"{kind}.toml" for kind in ("uv", f"pylock.{name}"))
        # Private, as the address may hold a password.
        described.touch(mode=0o600)
        described.write_text(settings(spec.index_url, [{"name": name}]))
        try:
            self(
                *("pip", "compile", "--config-file", str(described), "--python"),
                str(shop.tools / "bin" / "python"),
                *("--no-deps", *only_wheels([{"name": name}]), "--output-file", str(pylock), "-"),
                given=entry.partition(" \\")[0],
            )
        finally:
            described.unlink()
        return fetch_archive(pylock.read_text(), spec.index_url, entry, shop.sources)

    def _close_lock(self, folder: Path) -> None:
        try:
            close_lock(folder)
        except ExclusiveLockError as error:
            raise BuildError(str(error)) from error

    def _origin(self, index: str) -> list[str]:
        """Return where wheels may come from."""
        if self._spec.find_links:
            return ["--offline", "--no-index", "--find-links", self._spec.find_links]
        return ["--default-index", index] if index else []

    def forget(self, packages: Sequence[str]) -> None:
        """Take packages out of the cache, whose files the environments share.

        Raises:
            BuildError: with what uv said.
        """
        if packages:
            self("cache", "clean", *packages)

    def __call__(self, *arguments: str, given: str = "") -> None:
        """Run uv.

        Raises:
            BuildError: it failed, or could not be started.
        """
        # A file of ours or none.
        none = [] if "--config-file" in arguments else ["--no-config"]
        command = [str(self._spec.uv), *arguments, *none, "--no-progress"]
        try:
            done = subprocess.run(  # noqa: S603 (an argument list, no shell)
                command,
                input=given.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                # Where nobody else can put a file that uv would read.
                cwd=self._spec.prefix,
                pass_fds=self._inherited,
                check=False,
            )
        except OSError as error:
            raise BuildError(f"{command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            said = text_without_credentials(done.stdout.decode(errors="replace").strip())
            ended = f"uv {arguments[0]} {how_it_ended(done.returncode)}"
            raise BuildError(f"{said}\n{ended}" if said else ended)

    @property
    def _cache(self) -> Path:
        # Next to the environments: on one file system their files can be links.
        return self._spec.prefix / "cache"

    @property
    def _pythons(self) -> Path:
        return self._spec.prefix / "python"

    def _environment(self) -> dict[str, str]:
        kept = self._spec.python_cache
        return uv_variables(
            UV_CACHE_DIR=str(self._cache),
            UV_PYTHON_INSTALL_DIR=str(self._pythons),
            **({"UV_PYTHON_CACHE_DIR": kept} if kept else {}),
        )
