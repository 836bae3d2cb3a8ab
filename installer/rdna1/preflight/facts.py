"""The facts of `rdna1.target.facts` as checked structures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar, cast

import msgspec

from rdna1.errors import InputError
from rdna1.preflight.apt_facts import Apt, Entry

SCHEMA_VERSION = 1

T = TypeVar("T")
PciNumber = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{4}$")]
Mode = Annotated[str, msgspec.Meta(pattern="^[0-7]{4}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class FactsError(InputError):
    """Facts that cannot be assessed; the message is one line."""


class UnknownFactError(Exception):
    """A fact that could not be read; the message is the reason."""


class Derivative(msgspec.Struct, frozen=True):
    """What a derivative of Debian or Ubuntu calls itself."""

    id: str | None
    version_id: str | None
    name: str


class OperatingSystem(msgspec.Struct, frozen=True):
    """The release; of a derivative, ``id``, ``version_id`` and ``codename`` of what it is from."""

    id: str
    version_id: str | None
    codename: str | None
    pretty_name: str
    id_like: list[str]

    @property
    def base_name(self) -> str:
        """Name of the release that counts, ``Ubuntu 22.04`` for Linux Mint 21."""
        return f"{self.id.capitalize()} {self.version_id or ''}".strip()

    def is_before(self, version: str) -> bool:
        """Return whether the release is older than another of the same system."""
        own = self.version_id or ""
        numbers = own.replace(".", "").isdigit() and len(own) < 10
        return numbers and [int(n) for n in own.split(".")] < [int(n) for n in version.split(".")]


class KernelMessage(msgspec.Struct, frozen=True):
    """A line of a saved log of the kernel."""

    place: str
    line: Count
    text: str

    @property
    def shown(self) -> str:
        """The line as evidence."""
        return f"{self.place}:{self.line}: {self.text}"


class BootSetting(Entry, frozen=True):
    """A line of a boot loader's settings with an option about the driver."""

    text: str


class Model(msgspec.Struct, frozen=True):
    """The machine as its firmware names it."""

    vendor: str
    product: str


class Kernel(msgspec.Struct, frozen=True):
    """The running kernel; ``config`` holds ``y``, ``m`` or ``n`` of the driver's options."""

    release: str | None
    cmdline: str | None
    config: dict[str, str] | None = None
    messages: list[KernelMessage] = []
    boot_settings: list[BootSetting] = []


class Display(msgspec.Struct, frozen=True, rename={"device_class": "class"}):
    """A PCI display device; ``driver`` is None when no driver is bound."""

    slot: str
    vendor: PciNumber
    device: PciNumber
    subsystem_vendor: PciNumber
    subsystem_device: PciNumber
    device_class: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{6}$")]
    driver: str | None
    revision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{2}$")] | None = None


class DeviceFile(msgspec.Struct, frozen=True):
    """A device file; owner, group and mode are None where they say nothing.

    ``members``: users of its group but root, None where that is not known.
    """

    path: str
    owner: str | None
    group: str | None
    mode: Mode | None
    members: list[str] | None = None

    @property
    def nameless(self) -> bool:
        """Whether its group has no name here, or is the one of all that is not mapped."""
        return self.group is not None and (self.group.isdigit() or self.group == "nogroup")

    @property
    def open_to_all(self) -> bool:
        """Whether every user may read and write it."""
        return self.mode is not None and int(self.mode, 8) & 0o006 == 0o006

    @property
    def open_to_group(self) -> bool:
        """Whether its group may read and write it."""
        return self.mode is not None and int(self.mode, 8) & 0o060 == 0o060


class KfdNode(msgspec.Struct, frozen=True):
    """A processor or card in KFD's topology; ``gfx_target`` is None for a processor."""

    node: Count
    gfx_target: str | None
    simd_count: Count
    vendor_id: str
    device_id: str
    fw_version: Count | None
    slot: str | None = None
    cpu_cores: Count = 0
    unique_id: str | None = None


class Kfd(msgspec.Struct, frozen=True):
    """The compute driver."""

    device: DeviceFile | None
    nodes: list[KfdNode] | None


class Amdgpu(msgspec.Struct, frozen=True):
    """The kernel module; ``blacklisted`` holds ``file:line``."""

    loaded: bool | None
    blacklisted: list[str] | None


class Link(msgspec.Struct, frozen=True):
    """A display device's link; speeds and widths are None off PCI Express."""

    slot: str
    speed: str | None
    width: Count | None
    max_speed: str | None
    max_width: Count | None
    atomics: bool | None
    virtual_function: bool


class DkmsBuild(msgspec.Struct, frozen=True):
    """A version of amdgpu that DKMS knows, and the kernels it is built for.

    ``source``: whether its source is there, None where the facts do not tell.
    """

    version: str
    kernels: list[str]
    source: bool | None = None


class Modules(msgspec.Struct, frozen=True):
    """Installed kernels, AMD's own driver for them, and those that have amdgpu.

    ``with_amdgpu`` have any, ``own_amdgpu`` that of the kernel itself.
    """

    kernels: list[str] | None
    dkms: list[DkmsBuild] | None
    with_amdgpu: list[str] | None = None
    own_amdgpu: list[str] | None = None


class User(msgspec.Struct, frozen=True):
    """A user who was asked about."""

    name: str
    exists: bool
    groups: list[str]


class Session(msgspec.Struct, frozen=True):
    """The login session that collected the facts."""

    user: str
    groups: list[str]


class Profile(msgspec.Struct, frozen=True):
    """A profile script of this project; ``modified`` is in seconds since 1970."""

    path: str
    modified: int


class MiopenDatabase(msgspec.Struct, frozen=True):
    """A folder of MIOpen in a home; ``oldest`` and ``newest`` file in seconds since 1970."""

    path: str
    files: Count
    oldest: int
    newest: int


class DamagedFile(msgspec.Struct, frozen=True):
    """A file of MIOpen that it cannot use, and why."""

    path: str
    reason: str


class NetworkHome(msgspec.Struct, frozen=True):
    """A home on a network file system of some kind."""

    path: str
    kind: str


class Environment(msgspec.Struct, frozen=True):
    """What a link of this project's names; ``identity`` is empty where it is not whole."""

    path: str
    identity: str
    python: str
    packages: dict[str, str]
    altered: list[str]


class Envelope(msgspec.Struct, frozen=True):
    """A file of what convolutions work; its content is not read here."""

    path: str
    content: str


class Python(msgspec.Struct, frozen=True):
    """An interpreter of the operating system."""

    path: str
    version: str


class Space(msgspec.Struct, frozen=True):
    """Free space of a folder; folders with the same ``device`` share it."""

    path: str
    free_bytes: Count
    device: int


class RocmPart(msgspec.Struct, frozen=True):
    """A package or folder of ROCm; ``source`` is ``amd``, ``distro`` or ``folder``."""

    source: str
    name: str
    version: str


class LibraryFolder(Entry, frozen=True):
    """A line of the dynamic linker's configuration that names a folder of libraries."""

    folder: str


class Variable(msgspec.Struct, frozen=True):
    """A place that sets a variable; ``line`` is None for the process environment."""

    name: str
    value: str
    place: str
    line: int | None

    @property
    def where(self) -> str:
        """``file:line``, or ``environment``."""
        return self.place if self.line is None else f"{self.place}:{self.line}"

    @property
    def expands(self) -> bool:
        """Whether a shell puts something else in place of parts of the value."""
        return "$" in self.value or "`" in self.value


class StackSetting(msgspec.Struct, frozen=True):
    """A file, link or folder of a stack's settings; see `rdna1.target.facts.own_files`.

    A link has a ``target`` alone, a folder no ``sha256``.
    """

    path: str
    target: str | None = None
    mode: str | None = None
    owner: str | None = None
    group: str | None = None
    sha256: str | None = None


class Facts(msgspec.Struct, frozen=True):
    """All facts of one machine; None is a fact that could not be read.

    Where None has a meaning of its own, ``kfd.device`` for example, ``unknown`` decides.
    """

    schema_version: Literal[1]
    root: str
    system: str | None
    machine: str | None
    os: OperatingSystem | None
    kernel: Kernel
    glibc: str | None
    container: str | None
    displays: list[Display] | None
    kfd: Kfd
    render_nodes: list[DeviceFile] | None
    amdgpu: Amdgpu
    pcie: list[Link] | None
    virtualization: str | None
    memory_bytes: Count | None
    secure_boot: bool | None
    firmware: list[str] | None
    modules: Modules
    users: list[User] | None
    session: Session | None
    pythons: list[Python] | None
    externally_managed: list[str] | None
    disk: list[Space] | None
    apt: Apt
    rocm: list[RocmPart] | None
    library_folders: list[LibraryFolder] | None
    variables: list[Variable]
    profiles: list[Profile] | None
    miopen_databases: list[MiopenDatabase] | None
    unknown: dict[str, str]
    # Facts that were saved before these were among them are assessed as well.
    reboot_required: bool | None = None
    model: Model | None = None
    derivative: Derivative | None = None
    miopen_damaged: list[DamagedFile] | None = None
    network_homes: list[NetworkHome] | None = None
    envelopes: list[Envelope] | None = None
    environments: list[Environment] | None = None
    stack_settings: list[StackSetting] | None = None

    def known(self, fact: Callable[[Facts], T | None]) -> T:
        """Return a fact, as in ``facts.known(lambda f: f.kernel.release)``.

        Raises:
            UnknownFactError: the fact could not be read.
        """
        value = fact(self)
        if value is None:
            self.lacking(name_of(fact))
        return value

    def known_or_absent(self, fact: Callable[[Facts], T | None]) -> T | None:
        """Return a fact for which None means that the thing is not there.

        Raises:
            UnknownFactError: the fact could not be read.
        """
        self.need(name_of(fact))
        return fact(self)

    def lacking(self, name: str) -> NoReturn:
        """Say why a fact, or a part of one, by its dotted name, is not here.

        Raises:
            UnknownFactError: always; the message is the reason.
        """
        self.need(name)
        raise UnknownFactError(f"the facts do not hold {name}")

    def need(self, name: str) -> None:
        """Refuse to go on where a part of a fact, by its dotted name, could not be read.

        Raises:
            UnknownFactError: it could not; the message is the reason.
        """
        if name in self.unknown:
            raise UnknownFactError(self.unknown[name])

    def unread(self, prefix: str) -> list[str]:
        """Return reasons of the parts of a fact that could not be read."""
        parts = f"{prefix}."
        return [reason for name, reason in self.unknown.items() if name.startswith(parts)]


class _Name:
    """Stands for facts to learn which of them is asked for."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __getattr__(self, part: str) -> _Name:
        return _Name(f"{self.name}.{part}" if self.name else part)


def name_of(fact: Callable[[Facts], object]) -> str:
    """Return the dotted name of a fact, as `Facts.unknown` has it: ``kernel.release``."""
    name: Any = fact(cast("Facts", _Name()))
    return str(name.name)


class _Version(msgspec.Struct, frozen=True):
    """Read first: of other versions the number is all that counts."""

    schema_version: int


def load_facts(data: Mapping[str, object] | bytes) -> Facts:
    """Check facts and convert them.

    Args:
        data: what `rdna1.target.facts.collect.collect` returned, or its JSON.

    Raises:
        FactsError: truncated or wrong JSON, another schema version, or a wrong type.
    """
    try:
        # Ansible hands over subclasses of str, which only the standard encoder accepts.
        encoded = data if isinstance(data, bytes) else json.dumps(data).encode()
        found = msgspec.json.decode(encoded, type=_Version).schema_version
        if found != SCHEMA_VERSION:
            raise FactsError(f"facts of schema version {found}; this is for {SCHEMA_VERSION}")
        return msgspec.json.decode(encoded, type=Facts)
    except msgspec.ValidationError as error:
        raise FactsError(f"facts do not fit: {error}") from error
    except msgspec.DecodeError as error:
        raise FactsError(f"facts are not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise FactsError(f"facts are not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise FactsError("facts are nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise FactsError(f"facts are not plain data: {error}") from error
