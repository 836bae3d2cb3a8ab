#!/usr/bin/python
"""Run a measurement of rdna1-validate on a machine, and bring its report."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: rdna1_validate
short_description: Run a measurement of rdna1-validate and return its report
description:
  - Runs the command with the variables that a login shell gets, keeps its report on the machine
    and returns it.
  - A measurement that finds wrong convolutions is no failure of the module; one without a verdict
    is.
options:
  measurement:
    description: Subcommand of rdna1-validate, and name of the report.
    type: str
    choices: [smoke, boundary]
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
"""

RETURN = r"""
report:
  description: The report as JSON; empty in check mode, which measures nothing.
  returned: success
  type: str
"""

# Python itself exits with 1 where the program breaks: only with its verdict does 1 mean that
# convolutions failed, and that the report is of this run.
_VERDICTS = {
    "smoke": ("PASS: ", "FAIL: "),
    "boundary": ("LIMIT", "NO LIMIT", "NOT EXACT", "NOT KNOWN"),
}


def measure(module: AnsibleModule, report: Path) -> None:
    """Run the measurement; ends the module where it gives no verdict."""
    params = module.params
    name = params["measurement"]
    command = [
        *("/bin/sh", "-euc", '. "$0"; exec "$@"', params["profile"], params["program"], name),
        *params["arguments"],
        "--format=json",
        f"--output={report}",
    ]
    code, said, complaint = module.run_command(command)
    if code not in (0, 1) or not said.startswith(_VERDICTS[name]):
        module.fail_json(
            msg=f"rdna1-validate {name} broke off with exit code {code}: "
            f"{complaint.strip() or said.strip() or 'it printed nothing'}",
            cmd=command,
            rc=code,
            stdout=said,
            stderr=complaint,
        )


def main() -> None:
    """Entry point of the module."""
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "measurement": {"type": "str", "choices": list(_VERDICTS), "required": True},
            "program": path,
            "profile": path,
            "arguments": {"type": "list", "elements": "str", "default": []},
            "report_dir": path,
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["report_dir"])
    report = folder / f"{module.params['measurement']}.json"
    changed, content = not folder.is_dir(), ""
    try:
        if not module.check_mode:
            if changed:
                folder.mkdir(parents=True)
                folder.chmod(0o755)
            measure(module, report)
            content = report.read_text(encoding="utf-8")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=changed, report=content)


if __name__ == "__main__":
    main()
