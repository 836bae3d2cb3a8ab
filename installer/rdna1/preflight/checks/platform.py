"""Checks of the operating system."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rdna1.catalog.stacks import Stack
from rdna1.preflight.facts import OperatingSystem, Space, UnknownFactError
from rdna1.preflight.model import Case, CheckOutcome, check

_GIB = 1024**3
_LEAST_MEMORY_GIB = 4


@check(
    "architecture",
    "Linux on x86-64",
    strict=True,
    references=("ROCm/ROCm docs/deploy/linux/linux.template.jinja at docs/5.7.1",),
)
def architecture(case: Case) -> CheckOutcome:
    """ROCm and PyTorch's ROCm wheels exist for Linux on x86-64 only.

    AMD's package sources name amd64 alone, and so do the wheels of PyTorch. On any other
    machine nothing that a stack installs would start.
    """
    facts = case.facts
    system = facts.known(lambda f: f.system)
    machine = facts.known(lambda f: f.machine)
    if (system, machine) == ("Linux", "x86_64"):
        return CheckOutcome("pass", "Linux on x86_64")
    return CheckOutcome(
        "fail",
        f"{system} on {machine}: ROCm exists for Linux on x86_64 only",
        remedy="Use a machine with an x86-64 processor and Linux.",
    )


@check(
    "os-release",
    "Release of the operating system",
    strict=True,
    references=(
        "ROCm/ROCm docs/release/gpu_os_support.md at docs/5.7.1",
        "ROCm/ROCm#1713",
        "ROCm/ROCm#2993",
    ),
)
def os_release(case: Case) -> CheckOutcome:
    """A stack names the releases it is for, and those it is refused on with the reasons.

    Packages are built for one release: on another they miss libraries of the names and
    versions they ask for, and half an installation is worse than none. "Community" means
    that it works for users, and that nobody promises it. A derivative of Debian or Ubuntu,
    Linux Mint for example, is assessed as the release that it is built from.
    """
    found = case.facts.known(lambda f: f.os)
    outcome = _of_release(case, found)
    derivative = case.facts.derivative
    if derivative is None:
        return outcome
    derived = f"{derivative.name} is assessed as {found.base_name}, from which it derives"
    if outcome.status == "pass":
        remedy = "Go on and measure with rdna1-validate; packages of the derivative may differ."
        return CheckOutcome("warn", derived, outcome.evidence, remedy)
    summary = f"{derived}: {outcome.summary}"
    return CheckOutcome(outcome.status, summary, outcome.evidence, outcome.remedy)


def _of_release(case: Case, found: OperatingSystem) -> CheckOutcome:
    """Return what the stack says about a release."""
    name = _release_name(found) if case.facts.derivative is None else found.base_name
    release = case.stack.release(found.id, found.version_id or "")
    if release is None:
        return CheckOutcome(
            "fail",
            f"{name} is not a release of the stack {case.stack.name}",
            [f"The stack is for {case.stack.offered_releases}."],
            f"Install {case.stack.offered_releases}, or choose another stack.",
        )
    if release.support == "refused":
        summary = f"{name} does not support the stack {case.stack.name}"
        return CheckOutcome("fail", summary, release.reasons, release.remedy)
    if release.support == "community":
        summary = f"{name} has community support: nobody promises it"
        remedy = f"Go on and measure with rdna1-validate{_supported_hint(case.stack)}."
        return CheckOutcome("warn", summary, release.reasons, release.remedy or remedy)
    return CheckOutcome("pass", f"{name} is supported")


@check(
    "glibc",
    "C library of the PyTorch wheel",
    references=(
        "pytorch/builder manywheel/build_docker.sh",
        "ROCm/clr 14cbd8d24 mark stack non-executable",
        "AUTOMATIC1111/stable-diffusion-webui#17051",
        "TheTrustedComputer/ROCm-RDNA1",
    ),
)
def glibc(case: Case) -> CheckOutcome:
    """PyTorch's wheels load on a range of glibc versions.

    They are built on CentOS 7 and need glibc 2.17. HIP before ROCm 6.1 is linked with the
    flag for an executable stack, by mistake, and glibc refuses such libraries from 2.41 on:
    importing torch would fail. Provisioning clears the flag there with patchelf.
    """
    if case.pytorch_source == "distro":
        return CheckOutcome("skip", "PyTorch of the distribution fits the distribution's glibc")
    text = case.facts.known(lambda f: f.glibc)
    try:
        version = Version(text)
    except ValueError as error:  # no version, or a number of more digits than int() takes
        raise UnknownFactError(f"{text!r} is not a version") from error
    limits = case.stack.glibc
    if version < Version(limits.minimum):
        summary = f"glibc {text} is older than {limits.minimum}, which the PyTorch wheel needs"
        return CheckOutcome("fail", summary, remedy="Use a newer release of the operating system.")
    cleared = limits.to_clear(text)
    if cleared:
        summary = f"glibc {text} loads the PyTorch wheel only without its executable stack"
        evidence = [f"{name} has the flag without need of one" for name in cleared]
        remedy = (
            "Nothing to do for an environment of rdna1: provisioning clears the flag. In another "
            "one: patchelf --clear-execstack on these libraries in its torch/lib."
        )
        return CheckOutcome("warn", summary, evidence, remedy)
    return CheckOutcome("pass", f"glibc {text} loads the PyTorch wheel")


@check(
    "python",
    "Python for the PyTorch wheel",
    references=("pytorch/test-infra tools/scripts/generate_binary_build_matrix.py",),
)
def python(case: Case) -> CheckOutcome:
    """A wheel set exists for a range of Python versions.

    When the system has none of them, uv fetches one of its own, so this only warns: the
    download takes time and the network.
    """
    if case.pytorch_source == "distro":
        return CheckOutcome("skip", "PyTorch of the distribution uses the distribution's Python")
    pythons = case.facts.known(lambda f: f.pythons)
    wanted = case.stack.pytorch.python
    fitting = [p for p in pythons if _is_version_in(p.version, SpecifierSet(wanted))]
    if fitting:
        return CheckOutcome("pass", f"Python {fitting[-1].version} fits the wheels ({wanted})")
    return CheckOutcome(
        "warn",
        f"no installed Python fits the wheels ({wanted}); uv fetches one",
        [f"{python.path} is {python.version}" for python in pythons],
        "Nothing to do where the network allows the download.",
    )


@check("disk-space", "Free space", references=("pytorch/pytorch#98257",))
def disk_space(case: Case) -> CheckOutcome:
    """The wheels unpack to many GiB under /opt, the packages to some on the root.

    Without root there are no packages, and the wheels go to the home of the user. Running
    out in the middle leaves packages half configured. Folders on one file system have to
    share its space.
    """
    spaces = {space.path: space for space in case.facts.known(lambda f: f.disk)}
    is_system = case.scope == "system"
    needs = {"/": case.stack.disk_gib.system} if is_system else {}
    if case.pytorch_source == "index":
        needs["/opt" if is_system else "/home"] = case.stack.disk_gib.environment
    missing = needs.keys() - spaces.keys()
    if missing:
        raise UnknownFactError(f"the facts do not hold the space of {', '.join(sorted(missing))}")
    short = []
    for paths in _by_device([spaces[path] for path in needs]):
        need = sum(needs[path] for path in paths)
        free = spaces[paths[0]].free_bytes
        if free < need * _GIB:
            short.append(f"{' and '.join(paths)}: {free / _GIB:.1f} GiB free, {need} GiB needed")
    free_now = [f"{path}: {spaces[path].free_bytes / _GIB:.1f} GiB free" for path in needs]
    if short:
        return CheckOutcome("fail", "too little free space", short, "Make room, or add a disk.")
    return CheckOutcome("pass", "; ".join(free_now))


@check(
    "memory",
    "Memory of the machine",
    references=("pytorch/pytorch#1022", "pytorch/pytorch#25164"),
)
def memory(case: Case) -> CheckOutcome:
    """Installing and importing PyTorch needs memory in addition to that of the card.

    Users with 4 GB saw installers killed with wheels a quarter as large as those of ROCm.
    What a program needs on top depends on its data.
    """
    found = case.facts.known(lambda f: f.memory_bytes) / _GIB
    if found < _LEAST_MEMORY_GIB:
        return CheckOutcome(
            "warn",
            f"{found:.1f} GiB of memory: below {_LEAST_MEMORY_GIB} GiB installers of PyTorch "
            "were killed",
            remedy="Add memory, or swap space for the time of the installation.",
        )
    return CheckOutcome("pass", f"{found:.1f} GiB of memory")


def _release_name(found: OperatingSystem) -> str:
    version = "" if found.version_id else " (no version)"
    return f"{found.pretty_name}{version}"


def _supported_hint(stack: Stack) -> str:
    names = [r.name for r in stack.releases if r.support == "supported"]
    return f"; supported is {' or '.join(names)}" if names else ""


def _is_version_in(text: str, wanted: SpecifierSet) -> bool:
    try:
        return wanted.contains(text)
    except ValueError:  # no version, or a number of more digits than int() takes
        return False


def _by_device(spaces: list[Space]) -> list[list[str]]:
    groups: dict[int, list[str]] = {}
    for space in spaces:
        groups.setdefault(space.device, []).append(space.path)
    return list(groups.values())
