"""What reports of single cases share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.text import Text

from rdna1.conv.result import RIGHT, CaseResult, ConvOutcome, DeviceInfo
from rdna1.report.console import printable
from rdna1.report.junit import JUnitCase

_STYLES: dict[ConvOutcome, str] = {"pass": "green", "slow": "yellow"}


def outcome_cell(outcome: ConvOutcome) -> Text:
    """Return an outcome in its colour."""
    return Text(outcome, _STYLES.get(outcome, "bold red"))


def counts(results: Iterable[CaseResult]) -> str:
    """Return how often each outcome came, as in ``5 pass, 1 hang``."""
    counted = Counter(result.outcome for result in results)
    return ", ".join(f"{number} {outcome}" for outcome, number in counted.items()) or "no case"


def notes(results: Sequence[CaseResult]) -> list[Text]:
    """Return what went wrong, or was slow: the same said once."""
    alike: dict[str, list[CaseResult]] = {}
    for result in results:
        if result.outcome != "pass":
            first = next(iter(result.detail.splitlines()), "")
            alike.setdefault(f"{result.outcome}: {first}", []).append(result)
    return [Text(printable(f"{heading} ({_named(group)})")) for heading, group in alike.items()]


def _named(group: Sequence[CaseResult]) -> str:
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return f"{group[0].case.label}{more}"


def kernel_lines(device: DeviceInfo | None, unavailable: str, resets: Sequence[str]) -> list[Text]:
    """Return what the kernel said of resets; that it could not be asked matters for a GPU only."""
    lines = [Text(printable(f"reset: {text}"), "bold red") for text in resets]
    if unavailable and device and device.type == "cuda":
        lines.append(
            Text(printable(f"Resets would not have been noticed: {unavailable}"), "yellow")
        )
    return lines


def junit_cases(classname: str, results: Iterable[CaseResult], not_run: int) -> list[JUnitCase]:
    """Return one test case for each result, and one that fails for those not run."""
    found = [
        JUnitCase(
            name=result.case.label,
            classname=classname,
            seconds=result.seconds,
            failure=None if result.outcome in RIGHT else f"{result.outcome}: {result.detail}",
            skipped=None,
            output=f"slow: {result.detail}" if result.outcome == "slow" else "",
        )
        for result in results
    ]
    if not_run:
        text = f"{not_run} cases were not run"
        found.append(JUnitCase("completeness", classname, 0.0, text, None, ""))
    return found
