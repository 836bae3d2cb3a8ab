"""Kill, fill, cut and misset: what a provisioning may leave, on machines of the sandbox.

A run is timed undisturbed. Then each step starts a virgin machine, kills something at a random
moment, and goes on with a rerun or a rollback. The machine must end as an undisturbed run leaves
it, or as it was before: files with contents, modes and owners, dpkg and its journal, groups, and
the environment as an ordinary user has it. The named cases bring other faults.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from faults.cases.bench import Verdict
from faults.cases.table import Case, cases, take_case
from faults.machines import virgin
from faults.record import record
from faults.reference import UndisturbedError, measure
from faults.results import REPORT, NoReportError, Results, commit_of, go_on
from faults.steps import Reference, StepOutcome, draw, take
from faults.summary import case_line, step_line, table
from support.boxes import ROOT

Job = Callable[[], tuple[StepOutcome | Verdict, str]]
KILLS = 60
REPORTS = ROOT / "reports" / "faults"
EXAMPLES = """\
examples:
  ./run faults                          60 kills of seed 1, and all named cases
  ./run faults --kills 60 --seed 2      other moments
  ./run faults --seed 2 --only 17       one step again, as it was drawn
  ./run faults --list                   the names of the cases
  ./run faults --case umask-077         one case
  ./run faults --kills 12 --no-cases    kills alone
  ./run faults --seed 2 --continue      what is missing in the report of an earlier run of it
  ./run faults --seed 2 --continue --only 17   this step again, in place of its earlier result
  ./run faults --checkout ../earlier --case locale-C   whether an earlier commit had a fault

exit status: 0 every state was legal, 1 one was not, 2 wrong usage, 130 interrupted
Reports are in reports/faults/seed-S: report.json and report.txt, written again after each step,
and what every step printed.
Do not change the project's files meanwhile: its wheel is a part of every environment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults; gives the exit status."""
    options = parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{case.name:36} {case.meaning}" for case in cases()))
        return 0
    chosen = chosen_cases(options)
    is_earlier = options.checkout.resolve() != ROOT
    if is_earlier and options.record:
        parser().error("--record is for this checkout's own results, not those of --checkout")
    name = commit_of(options.checkout) if is_earlier else f"seed-{options.seed}"
    folder = options.output or REPORTS / name
    try:
        results = _results(options, folder)
    except NoReportError as error:
        parser().error(str(error))
    try:
        _run(options, chosen, results)
    except UndisturbedError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nfaults: interrupted. Go on with --continue; so far: {folder / REPORT}")
        return 130
    summary = results.summary()
    if options.record:
        record(summary)
    print(f"\n{table(summary)}\nreport: {folder / REPORT}")
    return 1 if summary.illegal else 0


def _results(options: argparse.Namespace, folder: Path) -> Results:
    """The results to add to: none, or those of an earlier run."""
    commit = commit_of(options.checkout)
    if options.go_on:
        return go_on(folder, options.seed, commit)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Results(folder, options.seed, commit)


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """The cases that were asked for."""
    known = {case.name: case for case in cases()}
    wanted = options.case or ([] if options.only or options.no_cases else list(known))
    matching = [name for name in known if any(fnmatchcase(name, pattern) for pattern in wanted)]
    unknown = [pattern for pattern in wanted if not any(fnmatchcase(n, pattern) for n in known)]
    if unknown:
        parser().error(f"no such case: {', '.join(unknown)} (./run faults --list)")
    return [known[name] for name in matching]


def _run(options: argparse.Namespace, chosen: Sequence[Case], results: Results) -> None:
    """Make the machines, time them undisturbed, and disturb them.

    Raises:
        UndisturbedError: even an undisturbed run failed.
    """
    kills = options.kills if options.kills is not None else 0 if options.case else KILLS
    numbers = options.only or [n for n in range(1, kills + 1) if n not in results.steps]
    missing = [case for case in chosen if options.case or case.name not in results.cases]
    name, folder = str(os.getpid()), results.folder
    served = folder / "served"
    for place in (served, folder / "reference"):
        shutil.rmtree(place, ignore_errors=True)
    served.mkdir()
    checkout = options.checkout.resolve()
    with virgin(served, name, checkout) as start:
        _say("timing an undisturbed run and rollback")
        is_earlier = checkout != ROOT
        reference = measure(start, name, folder / "reference", is_earlier=is_earlier)
        results.undisturbed = reference.seconds
        _say(", ".join(f"{k} {v:.1f} s" for k, v in reference.seconds.items()))
        take_one = partial(_take, options.seed, reference, folder)
        case_of = partial(_case, options.lock_seconds, reference, folder)
        jobs: list[tuple[int, list[Job]]] = [
            (options.parallel, [partial(take_one, n) for n in numbers]),
            (options.parallel, [partial(case_of, case) for case in missing if not case.alone]),
            (1, [partial(case_of, case) for case in missing if case.alone]),
        ]
        for parallel, some in jobs:
            for result in _told(parallel, some):
                results.add(result)
    shutil.rmtree(served, ignore_errors=True)


def _told(parallel: int, jobs: Sequence[Job]) -> Iterator[StepOutcome | Verdict]:
    """Do jobs, some at a time, and tell of each when it ends."""
    pool = ThreadPoolExecutor(parallel)
    running = [pool.submit(job) for job in jobs]
    try:
        for done, future in enumerate(as_completed(running), 1):
            result, text = future.result()
            _say(f"[{done}/{len(jobs)}] {text}")
            yield result
    finally:
        # After Ctrl-C those that run come to their end, and no other begins.
        pool.shutdown(cancel_futures=True)


def _take(seed: int, reference: Reference, folder: Path, number: int) -> tuple[StepOutcome, str]:
    place = folder / f"step-{number}"
    shutil.rmtree(place, ignore_errors=True)
    outcome = take(draw(seed, number), reference, place)
    return outcome, step_line(outcome, seed)


def _case(
    lock_seconds: float, reference: Reference, folder: Path, case: Case
) -> tuple[Verdict, str]:
    place = folder / case.name
    shutil.rmtree(place, ignore_errors=True)
    verdict = take_case(case, reference, place, lock_seconds)
    return verdict, case_line(verdict)


def _say(text: str) -> None:
    print(text, flush=True)


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="./run faults",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--kills", type=int, metavar="N", help=f"how many kills ({KILLS})")
    made.add_argument("--seed", type=int, default=1, metavar="S", help="of their choice (1)")
    made.add_argument(
        "--only",
        type=int,
        action="append",
        metavar="STEP",
        help="this step of the seed alone; repeatable",
    )
    made.add_argument("--parallel", type=int, default=2, metavar="N", help="machines at a time (2)")
    made.add_argument(
        "--case", action="append", metavar="NAME", help="this case alone; a pattern, repeatable"
    )
    made.add_argument("--no-cases", action="store_true", help="kills alone")
    made.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="keep the results of an earlier run in the same folder, take what is missing",
    )
    made.add_argument(
        "--checkout",
        type=Path,
        default=ROOT,
        metavar="DIR",
        help="run the playbooks of another one, of an earlier commit, that is set up",
    )
    made.add_argument("--list", action="store_true", help="show the named cases")
    made.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="for the reports and all that is printed (reports/faults/seed-S)",
    )
    made.add_argument(
        "--record",
        action="store_true",
        help="write the results down for docs/reliability.md (then: python docs/generate.py)",
    )
    made.add_argument(
        "--lock-seconds",
        type=float,
        default=60,
        metavar="S",
        help="how long another program holds dpkg's lock (60)",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
