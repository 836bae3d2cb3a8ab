"""How a machine installs from a mirror: whether it fits, where its copy is, what apt is told."""

from __future__ import annotations

import msgspec

from rdna1.layout import SYSTEM
from rdna1.mirror.keyrings import signed_by
from rdna1.mirror.manifest import AMD_KEY, Manifest, MirrorArchive, MirrorError
from rdna1.plan.options import Part, Request
from rdna1.plan.pytorch import PytorchPlan
from rdna1.plan.rocm import RocmPlan

# Of an archive that is a copy of one moment.
_KEPT = (
    "# The signature stays valid; how long the archive meant to have something newer does not "
    "matter."
)
_CONFIGURATION = """\
// Written by rdna1. For APT_CONFIG: apt sees the mirror and no other source.
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{folder}/sources";
Dir::State::Lists "{folder}/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
"""


class CheckedMirror(msgspec.Struct, frozen=True):
    """A mirror that the controller has compared with its manifest.

    Attributes:
        path: by which it was asked for.
        archive: a tar of it on the controller.
        folder: of its files on the controller.
        sha256: of its manifest.
        manifest: what it holds.
    """

    path: str
    archive: str
    folder: str
    sha256: str
    manifest: Manifest


class Installation(Part, frozen=True):
    """How a machine installs from a mirror.

    Attributes:
        archive: tar on the controller that is unpacked on the machine.
        folder: on the machine, for what is written here, and for the mirror.
        tree: folder in it for the mirror's own files, of which apt reads only what is named to it.
        checksums: of these files, as sha256sum reads them.
        locks: folder on the controller with the mirror's lock files.
        amd_key: AMD's key in it; empty where it is not used.
        amd_keyring: file on the machine for that key.
        sources_file: that names the mirror's archives to apt.
        sources: its content.
        configuration_file: that has apt use nothing else.
        configuration: its content.
        wheels: folder on the machine with the wheels.
        python: folder on the machine with the archive of a Python.
    """

    archive: str
    folder: str
    tree: str
    checksums: str
    locks: str
    amd_key: str
    amd_keyring: str
    sources_file: str
    sources: str
    configuration_file: str
    configuration: str
    wheels: str
    python: str


def installation(
    request: Request, mirror: CheckedMirror, rocm: RocmPlan, pytorch: PytorchPlan
) -> Installation:
    """Return how a machine installs from a mirror.

    Args:
        request: to the plan.
        mirror: that was asked for.
        rocm: what is done for ROCm.
        pytorch: what is done for PyTorch.

    Raises:
        MirrorError: it was collected for something else.
    """
    manifest = mirror.manifest
    _refuse_other(request, mirror, rocm, pytorch)
    folder = f"{SYSTEM.cache}/mirror-{mirror.sha256[:32]}"
    tree, keyring = f"{folder}/tree", f"{folder}/rocm.gpg"
    has_amd = rocm.source == "amd" and any(file.path == AMD_KEY for file in manifest.files)
    return Installation(
        archive=mirror.archive,
        folder=folder,
        tree=tree,
        checksums="".join(f"{file.sha256}  {file.path}\n" for file in manifest.files),
        locks=f"{mirror.folder}/locks",
        amd_key=f"{mirror.folder}/{AMD_KEY}" if has_amd else "",
        amd_keyring=keyring,
        sources_file=f"{folder}/sources/mirror.sources",
        sources=_sources(request, manifest, tree, keyring if has_amd else ""),
        configuration_file=f"{folder}/apt.conf",
        configuration=_CONFIGURATION.format(folder=folder),
        wheels=f"{tree}/wheels",
        python=f"{tree}/python",
    )


def _refuse_other(
    request: Request, mirror: CheckedMirror, rocm: RocmPlan, pytorch: PytorchPlan
) -> None:
    manifest, options = mirror.manifest, request.options
    made = f"{manifest.stack} on {manifest.os} {manifest.version}"
    wanted = f"{options.stack} on {rocm.os} {rocm.version}"
    if made != wanted:
        raise MirrorError(
            f"{mirror.path} is a mirror for {made}, and this is {wanted}. Remedy: name the mirror "
            f"for {wanted} in rdna1_mirror, or collect it with playbooks/mirror.yml on a connected "
            "machine of that release."
        )
    collected = (manifest.pytorch_source, manifest.pytorch_channel)
    if rocm.source not in ("none", manifest.rocm_source) or collected != (
        pytorch.source,
        options.pytorch_channel,
    ):
        raise MirrorError(
            f"{mirror.path} was collected with rdna1_rocm_source {manifest.rocm_source}, "
            f"rdna1_pytorch_source {manifest.pytorch_source} and pytorch_channel "
            f"'{manifest.pytorch_channel}', and this machine is to use {rocm.source}, "
            f"{pytorch.source} and '{options.pytorch_channel}'. Remedy: set them as they were, or "
            "collect the mirror again with those that are wanted here."
        )
    needed = dict.fromkeys([*rocm.packages, *pytorch.packages])
    if missing := [name for name in needed if name not in manifest.packages]:
        raise MirrorError(
            f"{mirror.path} was collected without {', '.join(missing)}. Remedy: collect it again "
            "with the same rocm_packages and rocm_dkms as here."
        )


def _sources(request: Request, manifest: Manifest, tree: str, amd_keyring: str) -> str:
    entries = msgspec.to_builtins(request.facts.apt.sources or [])
    paragraphs = (
        _paragraph(
            archive,
            f"file:{tree}/{archive.folder}",
            manifest.architecture,
            signed_by(archive, entries, request.release.id, amd_keyring),
        )
        for archive in manifest.archives
    )
    return "# Written by rdna1.\n" + "".join(f"{paragraph}\n" for paragraph in paragraphs)


def _paragraph(archive: MirrorArchive, address: str, architecture: str, keyrings: list[str]) -> str:
    lines = [
        "Types: deb",
        f"URIs: {address}",
        f"Suites: {archive.suite}",
        *([f"Components: {' '.join(archive.components)}"] if archive.components else []),
        f"Architectures: {architecture}",
        "Targets: Packages",
        _KEPT,
        "Check-Valid-Until: no",
        *([f"Signed-By: {' '.join(keyrings)}"] if keyrings else []),
    ]
    return "\n".join(lines) + "\n"
