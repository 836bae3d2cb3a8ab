"""All named cases, in the order in which they run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from faults.cases import killed, ssh, surroundings
from faults.cases.bench import Bench, Verdict
from faults.phases import PHASES
from faults.steps import Reference

# Without a mirror and without a measurement, these are not come to on the small machine.
NOT_REACHED = {"offline", "validate", "versions", "marks"}
_WAYS = ("rerun", "rollback")
_FULL = ("/usr", "/opt", "/var")
_PARTS = (0.02, 0.35, 0.7)


class Case(NamedTuple):
    """A named fault.

    Attributes:
        name: on the command line.
        run: what it does; gives why the end is illegal.
        alone: whether it changes what other machines see, the server for example.
    """

    name: str
    run: Callable[[Bench], list[str]]
    alone: bool = False

    @property
    def meaning(self) -> str:
        """Its first line of documentation."""
        function = self.run.func if isinstance(self.run, partial) else self.run
        return (function.__doc__ or "").partition("\n")[0]


def cases() -> list[Case]:
    """All of them."""
    return [*_killed(), *_owners(), *_locks(), *_settings(), *_disks(), *_phases(), *_networks()]


def _killed() -> Iterator[Case]:
    yield Case("apt-killed-rerun", killed.apt_killed_rerun)
    yield Case("apt-killed-rollback", killed.apt_killed_rollback)
    yield Case("power-lost-rerun", killed.power_lost_rerun)
    yield Case("power-lost-rollback", killed.power_lost_rollback)
    yield Case("group-killed-rerun", killed.group_killed_rerun)
    yield Case("group-killed-rollback", killed.group_killed_rollback)
    yield Case("journal-draft-rollback", killed.journal_draft_rollback)
    for way in _WAYS:
        yield Case(f"removal-killed-{way}", partial(killed.removal_killed, way=way))
    yield Case("between-apt-and-snapshot", killed.between_apt_and_snapshot)


def _owners() -> Iterator[Case]:
    yield Case("owners-folder", killed.owners_folder)
    yield Case("owners-venv", killed.owners_venv)
    yield Case("two-at-once", killed.two_at_once)


def _locks() -> Iterator[Case]:
    yield Case("lock-held", killed.lock_held_first_run)
    yield Case("lock-held-unfinished", killed.lock_held_unfinished)
    yield Case("lock-held-rollback", killed.lock_held_rollback)


def _settings() -> Iterator[Case]:
    yield Case("umask-077", partial(surroundings.umask, mask=0o077))
    yield Case("umask-000", partial(surroundings.umask, mask=0))
    yield Case("umask-077-of-the-machine", partial(surroundings.umask_of_a_machine, mask="077"))
    yield Case("locale-C", partial(surroundings.locale, name="C"))
    yield Case("locale-POSIX", partial(surroundings.locale, name="POSIX"))
    yield Case("locale-ungenerated", partial(surroundings.locale, name="xx_XX.UTF-8"))
    for when, shift in (("ahead", "+10y"), ("behind", "-10y")):
        yield Case(f"clock-{when}", partial(surroundings.clock_wrong, shift=shift))
        yield Case(
            f"clock-{when}-then-right", partial(surroundings.clock_wrong_then_right, shift=shift)
        )
    yield Case("read-only-etc", surroundings.read_only_etc)
    yield Case("read-only-root", surroundings.read_only_root)
    yield Case("home-restored", surroundings.home_restored)
    yield Case("unwritable-home", surroundings.unwritable_home)
    yield Case("unreachable-second-host", surroundings.unreachable_second_host)


def _disks() -> Iterator[Case]:
    for path in _FULL:
        for number, part in enumerate(_PARTS):
            name = f"full{path.replace('/', '-')}-{part * 100:.0f}"
            way = _WAYS[(number + len(path)) % 2]
            yield Case(name, partial(surroundings.full, path=path, part=part, way=way))


def _phases() -> Iterator[Case]:
    for phase in PHASES:
        if phase.name not in NOT_REACHED:
            run = partial(killed.power_at, playbook=phase.playbook, phase=phase.name)
            yield Case(f"power-{phase.playbook}-{phase.name}", run)


def _networks() -> Iterator[Case]:
    for phase, way in zip(("repository", "transaction", "lock", "venv"), _WAYS * 2, strict=True):
        run = partial(surroundings.network_cut, phase=phase, way=way)
        yield Case(f"network-cut-{phase}", run, alone=True)
    for what, path in (("packages", ".deb"), ("wheels", ".whl"), ("lists", "/dists/")):
        run = partial(surroundings.truncating, path=path)
        yield Case(f"truncated-{what}", run, alone=True)
    yield Case("slow-archive", surroundings.slow, alone=True)
    for how, way in zip(("reset", "silent"), _WAYS, strict=True):
        yield Case(f"ssh-dropped-{how}", partial(ssh.dropped, how=how, way=way))


def _close_to_others(folder: Path) -> None:
    """Let nobody else write what a case left; root runs no checkout that others can write."""
    for path in (folder, *folder.rglob("*")):
        if path.exists() and not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o022)


def take_case(case: Case, reference: Reference, folder: Path, lock_seconds: float) -> Verdict:
    """Run a case on machines of its own.

    Args:
        case: what to do.
        reference: what an undisturbed run is like.
        folder: for all that is printed.
        lock_seconds: for how long a foreign lock is held.
    """
    started = time.monotonic()
    bench = Bench(case.name, reference, folder, lock_seconds)
    try:
        problems = case.run(bench)
    except Exception as error:  # noqa: BLE001 - a case that cannot go on is one case's result
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "exception.log").write_text(traceback.format_exc())
        problems = [f"the case itself ended with {type(error).__name__}: {error}"]
    finally:
        bench.close()
        _close_to_others(folder)
    seconds = round(time.monotonic() - started, 1)
    return Verdict(case.name, problems, seconds, str(folder), bench.preflight)
