"""What apt is told of AMD's repository: its key, its sources and the pin of its packages."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import msgspec

from rdna1.catalog.amd_leftovers import Leftovers, leftovers
from rdna1.catalog.repositories import AmdRepository, amd_repository
from rdna1.catalog.stacks import Driver, PackageSet
from rdna1.layout import SYSTEM
from rdna1.plan.options import Options, PlanError, Request

_ADDRESS = re.compile(r'(https?|file)://[^\s\\"]+')
# Of the role mirror, for the time of a collection.
COLLECTION = f"{SYSTEM.cache}/excerpt"


class WrittenFile(msgspec.Struct, frozen=True):
    """A file and its content."""

    path: str
    content: str


class AmdKey(msgspec.Struct, frozen=True):
    """The key of the repository.

    Attributes:
        path: of the keyring on the machine.
        url: to fetch it from; empty where there is a file.
        file: with it on the controller; empty where it is fetched.
        fingerprint: that it has to have.
    """

    path: str
    url: str
    file: str
    fingerprint: str


class AmdFiles(msgspec.Struct, frozen=True):
    """The files of one place: apt's own folders, or those of a collection.

    Attributes:
        key: of the repository.
        pin: of its packages.
        sources: of ROCm, and of the driver where it is asked for.
    """

    key: AmdKey
    pin: WrittenFile
    sources: list[WrittenFile]


class Migration(msgspec.Struct, frozen=True):
    """What others wrote for the repository, which is replaced.

    Attributes:
        leftovers: files of sources and keys.
        backups: folder for copies of them.
        pattern: of the repository's lines in a file with other sources, a regular expression.
        replacement: of such a line.
    """

    leftovers: Leftovers
    backups: str
    pattern: str
    replacement: str

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to replace."""
        return bool(self.leftovers.files or self.leftovers.mixed or self.leftovers.keyrings)


class AmdPlan(msgspec.Struct, frozen=True):
    """How apt gets to know AMD's repository.

    Attributes:
        files: on the machine.
        collected: the same for a collection of the role mirror.
        own: the collection's copies of what the machine has of the repository.
        lists: pattern of the names of apt's lists of it.
        migration: None where others left nothing.
    """

    files: AmdFiles
    collected: AmdFiles
    own: list[str]
    lists: str
    migration: Migration | None


class Abandoned(msgspec.Struct, frozen=True):
    """What this project wrote for AMD's repository, when ROCm comes from elsewhere now.

    Attributes:
        paths: of sources and pins that apt reads.
        source: the one of them that is ROCm's.
        keyring: that no other source names; empty where one does.
    """

    paths: list[str]
    source: str
    keyring: str


def amd_plan(request: Request, packages: PackageSet, driver: Driver | None) -> AmdPlan:
    """Return how apt gets to know AMD's repository.

    Args:
        request: to the plan.
        packages: of the stack on the release.
        driver: that is to be built, or None.

    Raises:
        PlanError: the address or the file of the key cannot be used.
    """
    amd, options = amd_repository(), request.options
    url = (options.rocm_amd_url or amd.url).rstrip("/")
    if not _ADDRESS.fullmatch(url):
        raise PlanError(
            "rocm_amd_url is not an address that apt can use. Remedy: write it as "
            "https://HOST/FOLDER, or leave it out."
        )
    file = options.rocm_amd_key_file
    if file and not Path(file).is_file():
        raise PlanError(
            f"rocm_amd_key_file is {file}, and there is no such file on the machine that runs "
            "Ansible. Remedy: correct the path, or leave it out to have the key fetched."
        )
    version = request.stack.rocm_version
    suites = {amd.sources_file: (f"{amd.rocm_folder}/{version}", packages.suite)}
    if driver:
        suites[amd.driver_sources_file] = (driver.repository, driver.suite)
    kept = {
        amd.keyring: COLLECTION,
        amd.pin.file: f"{COLLECTION}/preferences",
        amd.sources_file: f"{COLLECTION}/sources",
        amd.driver_sources_file: f"{COLLECTION}/sources",
    }
    collection = {path: f"{folder}/{PurePosixPath(path).name}" for path, folder in kept.items()}
    key_url = "" if file else amd.key_url.replace(amd.url, url, 1)

    def files(place: dict[str, str]) -> AmdFiles:
        keyring = place[amd.keyring]
        return AmdFiles(
            key=AmdKey(keyring, key_url, file, _fingerprint(amd, options)),
            pin=WrittenFile(place[amd.pin.file], amd.pin.preferences(amd.host)),
            sources=[
                WrittenFile(place[path], _source(amd, f"{url}/{folder}", suite, keyring))
                for path, (folder, suite) in suites.items()
            ],
        )

    migration = _migration(request, amd)
    return AmdPlan(
        files=files({path: path for path in collection}),
        collected=files(collection),
        own=[path for file, path in collection.items() if file != amd.keyring],
        # Whatever the address.
        lists=f"*_{amd.rocm_folder.replace('/', '_')}_{version}_dists_{packages.suite}_*Release",
        migration=migration if migration.is_needed else None,
    )


def abandoned(request: Request) -> Abandoned | None:
    """Return what is left of AMD's repository, None where apt reads nothing of it."""
    amd, apt = amd_repository(), request.facts.apt
    own = {amd.sources_file, amd.driver_sources_file, amd.pin.file}
    sources = apt.sources or []
    read = {entry.file for entries in (sources, apt.pins or []) for entry in entries}
    others = {file for source in sources if source.file not in own for file in source.signed_by}
    if not read & own:
        return None
    return Abandoned(
        paths=sorted(read & own),
        source=amd.sources_file,
        keyring="" if amd.keyring in others else amd.keyring,
    )


def _fingerprint(amd: AmdRepository, options: Options) -> str:
    return (options.rocm_amd_key_fingerprint or amd.fingerprint).replace(" ", "").upper()


def _source(amd: AmdRepository, url: str, suite: str, keyring: str) -> str:
    return (
        "# Written by rdna1.\n"
        "Types: deb\n"
        f"URIs: {url}\n"
        f"Suites: {suite}\n"
        f"Components: {amd.component}\n"
        f"Architectures: {amd.architecture}\n"
        f"Signed-By: {keyring}\n"
    )


def _migration(request: Request, amd: AmdRepository) -> Migration:
    """Return what others wrote.

    Raises:
        PlanError: a file of theirs in deb822 form holds other sources as well.
    """
    fingerprints = {amd.fingerprint, _fingerprint(amd, request.options)}
    found = leftovers(msgspec.to_builtins(request.facts.apt), amd, fingerprints)
    if unclear := [path for path in found.mixed if path.endswith(".sources")]:
        raise PlanError(
            f"{', '.join(unclear)} names AMD's repository together with others. Remedy: remove "
            f"{amd.host} from it, then run again."
        )
    host = re.escape(amd.host)
    return Migration(
        found,
        SYSTEM.backups,
        pattern=rf"^(\s*deb(?:-src)?\s[^#\n]*//(?:[^/\s]*@)?{host}[:/].*)$",
        replacement=rf"# now in {amd.sources_file}: \1",
    )
