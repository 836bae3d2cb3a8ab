#!/usr/bin/python
"""Run a measurement of rdna1-validate on a machine, and bring its report."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.folders import make_folders
from ansible.module_utils.rdna1.target.printable import printable
from ansible.module_utils.rdna1.target.whole_file import write_whole

DOCUMENTATION = r"""
module: rdna1_validate
short_description: Run a measurement of rdna1-validate and return its report
description:
  - Runs the command with the variables that a login shell gets, keeps its report on the machine
    and returns it.
  - A measurement that passed is not repeated while the machine has not been restarted, the
    command is the same and nothing that it depends on was changed.
  - Wrong convolutions in a measurement are not a failure of the module; one without a verdict
    is.
  - Reports of earlier versions that every user can read are closed to all but their owner.
options:
  measurement:
    description: Subcommand of rdna1-validate, and name of the report.
    type: str
    required: true
  program:
    description: The program rdna1-validate.
    type: path
    required: true
  profile:
    description: Profile script of the stack, which the shell reads first.
    type: path
    required: true
  arguments:
    description: Arguments of the subcommand.
    type: list
    elements: str
    default: []
  report_dir:
    description: Folder of the reports, made where it is missing.
    type: path
    required: true
  depends_on:
    description: Files and links that the result depends on; one that is missing may appear.
    type: list
    elements: path
    default: []
  again:
    description: Whether to measure in any case.
    type: bool
    default: false
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Run ordinary small convolutions
  rdna1_validate:
    measurement: smoke
    program: /opt/rdna1/rocm-5.7/bin/rdna1-validate
    profile: /etc/profile.d/rocm-rdna1-57.sh
    arguments: [--max-side=42]
    report_dir: /var/lib/rdna1/reports
    depends_on: [/var/lib/dpkg/status, /opt/rdna1/rocm-5.7]
"""

RETURN = r"""
report:
  description: The report as JSON; empty in check mode, which measures nothing.
  returned: success
  type: str
earlier:
  description: When the report was measured, in UTC; empty where that was now.
  returned: success
  type: str
"""

_PRIVATE = 0o600
# How the program refuses to hang a card that somebody looks at.
_REFUSED = "rdna1-validate: refused: "
_REMEDY = (
    "Remedy: save what is open on that machine and set validate_yes: true, or measure while the "
    "card has no monitor and no graphical session"
)


class Measurement:
    """One measurement: its command, its report, and the record that it passed as things are now."""

    def __init__(self, params: dict[str, Any]) -> None:
        """Look at what the result depends on, before it is measured."""
        self.name = str(params["measurement"])
        folder = Path(params["report_dir"])
        self.report = folder / f"{self.name}.json"
        self.command = [
            *("/bin/sh", "-euc", '. "$0"; exec "$@"', params["profile"], params["program"]),
            *(self.name, *params["arguments"], "--format=json", f"--output={self.report}"),
        ]
        self._record = folder / f"{self.name}.passed.json"
        self._conditions = {
            "command": self.command,
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
            "depends_on": {path: _state(path) for path in params["depends_on"]},
        }

    def earlier(self) -> tuple[str, str]:
        """Say when it passed in the same circumstances, and the report; both empty if it did not.

        Raises:
            OSError: there is a record or report that cannot be read.
        """
        try:
            kept = json.loads(self._record.read_text(encoding="utf-8"))
            if kept["circumstances"] == self._conditions:
                return str(kept["date"]), self.report.read_text(encoding="utf-8")
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass  # No record, or a damaged one: it has to be measured.
        return "", ""

    def verdict(self) -> str:
        """Return ``pass`` or ``fail``, or nothing where the report is not of this measurement."""
        try:
            report = json.loads(self.report.read_text(encoding="utf-8"))
            if report["kind"] == self.name:
                return str(report["verdict"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass  # The program broke before it wrote one.
        return ""

    def forget(self) -> None:
        """Let the earlier report count no more: it is about to be replaced."""
        if self._record.exists():
            self._record.unlink()

    def passed(self, began: float) -> None:
        """Write down that it passed."""
        date = time.strftime("%Y-%m-%d %H:%M", time.gmtime(began))
        record = {"date": date, "circumstances": self._conditions}
        write_whole(self._record, (json.dumps(record, indent=2) + "\n").encode())


def open_reports(folder: Path) -> list[Path]:
    """Return the reports that everybody can read, as versions before 0600 wrote them."""
    if not folder.is_dir():
        return []
    found = ((path, path.lstat().st_mode) for path in sorted(folder.iterdir()))
    return [path for path, mode in found if stat.S_ISREG(mode) and mode & stat.S_IRWXO]


def _state(path: str) -> list[int] | None:
    """Return what every change of a file or link changes; None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return [status.st_ino, status.st_ctime_ns]


def measure(module: AnsibleModule, measurement: Measurement) -> None:
    """Run the measurement; ends the module where it gives no verdict."""
    name, began = measurement.name, time.time()
    measurement.forget()
    before = _state(str(measurement.report))
    code, said, complaint = module.run_command(measurement.command)
    refusal = next((line for line in complaint.splitlines() if _REFUSED in line), "")
    if code == 1 and refusal:
        reason = refusal.partition(_REFUSED)[2].partition(" Remedy: ")[0]
        module.fail_json(msg=f"{name} was refused: {reason} {_REMEDY}", stderr=complaint)
    # Python itself exits with 1 where the program breaks: only with a report of this run does 1
    # mean that convolutions failed.
    written = _state(str(measurement.report)) != before
    if code not in (0, 1) or not written or not measurement.verdict():
        module.fail_json(
            msg=f"rdna1-validate {name} broke off with exit code {code}: "
            f"{complaint.strip() or said.strip() or 'it printed nothing'}",
            cmd=measurement.command,
            rc=code,
            stdout=said,
            stderr=complaint,
        )
    if code == 0:
        measurement.passed(began)


def main() -> None:
    """Entry point of the module."""
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "measurement": {"type": "str", "required": True},
            "program": path,
            "profile": path,
            "arguments": {"type": "list", "elements": "str", "default": []},
            "report_dir": path,
            "depends_on": {"type": "list", "elements": "path", "default": []},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["report_dir"])
    earlier, content = "", ""
    try:
        closed = open_reports(folder)
        changed = bool(closed) or not folder.is_dir()
        if not module.check_mode:
            make_folders(folder)
            for report in closed:
                report.chmod(_PRIVATE)
            measurement = Measurement(module.params)
            if not module.params["again"]:
                earlier, content = measurement.earlier()
            if not earlier:
                measure(module, measurement)
                content = measurement.report.read_text(encoding="utf-8")
    except OSError as error:
        module.fail_json(msg=printable(f"{error.filename}: {error.strerror}"))
    module.exit_json(changed=changed, report=content, earlier=earlier)


if __name__ == "__main__":
    main()
