"""Checks of the variables that PyTorch, ROCm, MIOpen and the dynamic linker read."""

from __future__ import annotations

import re
import shlex

from packaging.version import Version

from rdna1.catalog.stacks import Stack
from rdna1.preflight.checks.miopen import DEBUGGING, FAMILY, OFF, ON
from rdna1.preflight.facts import Variable
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.variable_places import parent_of, scope_of, settings_of, shown, unread_places

_CLR_FLAGS = "ROCm/clr rocclr/utils/flags.hpp at rocm-5.7.0"
_BUILDER = "pytorch/builder manywheel/build_rocm.sh at release/2.2"

_DEAD = {
    "PYTORCH_ROCM_ARCH": "is read when PyTorch is built, not by a finished wheel",
    "HIP_FORCE_COARSE_GRAIN": "is in no source of HIP 5.7",
    "ROC_ENABLE_PRE_VEGA": "is about gfx8 cards",
}
# For one node alone; ROCT-Thunk-Interface src/topology.c has it later than rocm-5.7.1.
_NUMBERED = re.compile(r"HSA_OVERRIDE_GFX_VERSION_\d+")
_LIBRARY_PATH = re.compile("LD_LIBRARY_PATH")
_ROCM_FOLDER = re.compile(r"/opt/rocm[^/]*(/.*)?")
# The oldest release whose wheels were seen to be built with --force-rpath.
_FIRST_WITH_RPATH = Version("2.2")

_FOREIGN = re.compile("PYTHONPATH|PYTHONHOME|LD_PRELOAD")
_REPLACES = re.compile(
    r"(?:site|dist)-packages|rocm|lib(?:hsa|amdhip|amd_comgr|MIOpen|rocblas|hip|torch)"
)
# Rules of their own assess these, or several places add to one value.
_JUDGED_ELSEWHERE = re.compile(
    rf"HSA_OVERRIDE_GFX_VERSION(_\d+)?|MIOPEN_FIND_ENFORCE|{_LIBRARY_PATH.pattern}"
    r"|PYTHONPATH|PYTHONHOME|LD_PRELOAD"
)
_FIND_ENFORCE = "MIOPEN_FIND_ENFORCE"
_CSH = re.compile(r"/\.(?:t?cshrc|login)$|\.csh$|/csh\.\w+$")
_HARMLESS = frozenset(["", "1", "NONE"])


@check(
    "find-enforce",
    f"{_FIND_ENFORCE} is not set",
    references=(
        "ROCm/MIOpen src/include/miopen/find_controls.hpp at rocm-5.7.0",
        "ROCm/MIOpen docs/perfdatabase.md at rocm-5.7.0",
    ),
)
def find_enforce(case: Case) -> CheckOutcome:
    """MIOPEN_FIND_ENFORCE makes MIOpen benchmark every solver for every convolution.

    Any value but NONE (1) switches to the search of all kernels and tuning points. On
    RDNA1 this took more than 33 minutes for one convolution, and among the kernels are
    those that hang.
    """
    places = [v for v in case.facts.variables if v.name == _FIND_ENFORCE]
    forcing = [v for v in places if v.value.strip().upper() not in _HARMLESS]
    unread = [f"not read: {reason}" for reason in case.facts.unread("variables")]
    if not places:
        where = "in no place that could be read" if unread else "nowhere"
        return CheckOutcome("pass", f"{_FIND_ENFORCE} is set {where}", unread)
    evidence = [f"{v.where}: {v.name}={v.value}" for v in forcing or places]
    remedy = (
        "Remove these settings, by hand or with rdna1-preflight fix; then log in again or "
        f"run: {_unset([v.place for v in places])}"
    )
    if forcing:
        summary = f"{_FIND_ENFORCE} forces a search that can take 33 minutes a convolution"
        return CheckOutcome("fail", summary, evidence + unread, remedy)
    summary = f"{_FIND_ENFORCE} is set to a value that changes nothing"
    return CheckOutcome("warn", summary, evidence + unread, remedy)


@check(
    "dead-variables",
    "Variables that do nothing",
    references=(_CLR_FLAGS, _BUILDER, DEBUGGING),
)
def dead_variables(case: Case) -> CheckOutcome:
    """Advice on RDNA1 repeats variables that no program reads, or that say the default.

    They do no harm, but who sets them believes that they did something. PYTORCH_ROCM_ARCH
    is right where PyTorch is built; MIOPEN_DEBUG_CONV_GEMM=1 and its like only repeat that
    a family of algorithms is switched on.
    """
    dead = [
        f"{shown(v)} {reason}" for v in case.facts.variables if (reason := _why_dead(v, case.stack))
    ]
    unread = unread_places(case.facts)
    if dead:
        return CheckOutcome(
            "warn", "some variables do nothing", dead + unread, "Remove these settings."
        )
    return CheckOutcome("pass", "no variable is known to do nothing", unread)


@check(
    "library-path",
    "LD_LIBRARY_PATH keeps out of ROCm",
    references=(_BUILDER, "pytorch/builder e904a85d Set FORCE_RPATH for ROCm"),
)
def library_path(case: Case) -> CheckOutcome:
    """PyTorch's wheels bring their own ROCm; LD_LIBRARY_PATH can put another in its place.

    Wheels from 2.2 on are built so that their own libraries win. Those of 1.13.1 are not:
    with /opt/rocm in LD_LIBRARY_PATH they load libraries that they were not built with.
    PyTorch of the distribution does so too; of AMD's native wheels it is not known.
    """
    places = [
        v
        for v in settings_of(case.facts, _LIBRARY_PATH)
        if any(_ROCM_FOLDER.fullmatch(folder) for folder in v.value.split(":"))
    ]
    evidence = [shown(v) for v in places] + unread_places(case.facts)
    if not places:
        return CheckOutcome("pass", "LD_LIBRARY_PATH names no folder of ROCm", evidence)
    remedy = "Take /opt/rocm out of LD_LIBRARY_PATH in these places, then log in again."
    if case.pytorch_source == "distro":
        summary = "LD_LIBRARY_PATH puts another ROCm before the distribution's"
        return CheckOutcome("warn", summary, evidence, remedy)
    # PyTorch does not build those with native code, whose ROCm is in packages of its own.
    version = None if case.stack.pytorch.depends_on_gfx_target else _torch_version(case.stack)
    if version is None:
        summary = "LD_LIBRARY_PATH may replace the ROCm that the PyTorch wheels bring"
        return CheckOutcome("warn", summary, evidence, remedy)
    if version < _FIRST_WITH_RPATH:
        summary = f"LD_LIBRARY_PATH replaces the ROCm that PyTorch {version.public} brings"
        return CheckOutcome("fail", summary, evidence, remedy)
    summary = f"PyTorch {version.public} loads its own ROCm whatever LD_LIBRARY_PATH says"
    return CheckOutcome("pass", summary, evidence)


@check(
    "foreign-modules",
    "No variable replaces Python's modules or ROCm's libraries",
    references=(
        "lamikr/rocm_sdk_builder#237",
        "Python documentation: PYTHONPATH, PYTHONHOME",
        "ld.so(8), LD_PRELOAD",
    ),
)
def foreign_modules(case: Case) -> CheckOutcome:
    """PYTHONPATH, PYTHONHOME and LD_PRELOAD put others' code before that of an environment.

    A folder of site-packages in PYTHONPATH shadows the torch of every environment; a
    preloaded libhsa-runtime64 replaces the one that the wheels bring. This project's own
    commands leave these variables out; other programs do not.
    """
    places = [v for v in settings_of(case.facts, _FOREIGN) if v.value.strip()]
    unread = unread_places(case.facts)
    if not places:
        return CheckOutcome("pass", "no variable puts other code before an environment's", unread)
    replacing = [v for v in places if v.name == "PYTHONHOME" or _REPLACES.search(v.value)]
    remedy = "Remove these settings, then log in again; a program that needs one can set it itself."
    evidence = [shown(v) for v in replacing or places] + unread
    if replacing:
        names = ", ".join(sorted({v.name for v in replacing}))
        summary = f"{names} replaces the modules or libraries of every environment"
        return CheckOutcome("fail", summary, evidence, remedy)
    names = ", ".join(sorted({v.name for v in places}))
    return CheckOutcome(
        "warn", f"{names} puts other code before an environment's", evidence, remedy
    )


@check(
    "variable-conflicts",
    "Each variable has one value",
    references=("environment.d(5)", "pam_env.conf(5)", "systemd.exec(5)"),
)
def variable_conflicts(case: Case) -> CheckOutcome:
    """A variable with several values acts differently in each kind of session.

    A login shell reads /etc/profile.d, a graphical session may not, a service reads
    neither. What was measured in one of them does not hold in the others.
    """
    wanted = case.stack.environment.variables
    places = [
        v
        for v in case.facts.variables
        if v.name not in wanted and not v.expands and not _JUDGED_ELSEWHERE.fullmatch(v.name)
    ]
    evidence = [
        f"{v.name}: {', '.join(f'{o.value!r} in {o.where}' for o in others)}"
        for v, others in _conflicts(places)
    ]
    unread = unread_places(case.facts)
    if evidence:
        remedy = "Keep each variable in one of these places."
        return CheckOutcome("warn", "variables have several values", evidence + unread, remedy)
    return CheckOutcome("pass", "no variable has several values", unread)


@check(
    "other-profile",
    "Profile script of one stack",
    references=("Debian's /etc/profile reads /etc/profile.d/*.sh in the order of names",),
)
def other_profile(case: Case) -> CheckOutcome:
    """The profile scripts of two stacks are both read at login.

    What only one of them sets stays, so that filters meant for one PyTorch act on the
    other.
    """
    profiles = case.facts.known(lambda f: f.profiles)
    own = case.stack.environment.profile
    others = [profile.path for profile in profiles if profile.path != own]
    if others:
        return CheckOutcome(
            "warn",
            f"the profile script of another stack than {case.stack.name} is there",
            others,
            f"As root: rm {shlex.join(others)}. Then log in again.",
        )
    return CheckOutcome("pass", "there is no profile script of another stack")


def _why_dead(variable: Variable, stack: Stack) -> str | None:
    if variable.name in _DEAD:
        return _DEAD[variable.name]
    if _NUMBERED.fullmatch(variable.name) and stack.rocm_version.startswith("5."):
        return "is read by ROCm 6 and newer only"
    if not FAMILY.fullmatch(variable.name):
        return None
    if variable.value not in OFF | ON:
        return (
            "is not a word that MIOpen knows: it knows 0, no, false and the like in small letters"
        )
    is_ours = variable.name in stack.environment.variables
    return "is the default" if not is_ours and variable.value in ON else None


def _torch_version(stack: Stack) -> Version | None:
    """Return the version that a stack pins, None where it takes the newest."""
    # Its parser takes longer to import than all checks to run, and few machines need it.
    from packaging.requirements import Requirement

    requirements = map(Requirement, stack.wheels(stack.gfx_targets[0]))
    pinned = next(r for r in requirements if r.name == "torch")
    return max((Version(specifier.version) for specifier in pinned.specifier), default=None)


def _conflicts(places: list[Variable]) -> list[tuple[Variable, list[Variable]]]:
    """Return each variable with the places of its values where one program reads two of them."""
    found = []
    for name in sorted({v.name for v in places}):
        same = [v for v in places if v.name == name]
        for scope in sorted({scope_of(v.place) for v in same}):
            read = [v for v in same if scope_of(v.place) in (scope, parent_of(scope))]
            if len({v.value for v in read}) > 1 and len({v.place for v in read}) > 1:
                found.append((read[0], read))
    return found


def _unset(places: list[str]) -> str:
    """Give the command that takes the variable out of a running shell, in that shell's language."""
    if all("/fish/" in place for place in places):
        return f"set --erase {_FIND_ENFORCE}"
    if all(_CSH.search(place) for place in places):
        return f"unsetenv {_FIND_ENFORCE}"
    return f"unset {_FIND_ENFORCE}"
