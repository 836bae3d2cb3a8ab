"""Show users what a run does and finds, and Ansible's full output with -v."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.plugins.callback.default import CallbackModule as FullOutput
from ansible.utils.display import Display

try:
    from rdna1.cli.action import terminal_style
    from rdna1.cli.progress import Progress, duration
except ImportError:
    # The first task says so, with a remedy.
    _HAS_RDNA1 = False
else:
    _HAS_RDNA1 = True

DOCUMENTATION = r"""
name: rdna1_progress
type: stdout
short_description: What a run does and finds
description:
  - Names what is changed and what fails, and what lasts while it lasts. Leaves out tasks that are
    skipped, that check arguments, or that change nothing.
  - With C(-v) the same as Ansible's own C(default).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author: [rdna1 contributors]
"""

# What lasts longer is worth a line though it changes nothing.
_LONG = 5.0
# Waits for somebody at the terminal.
_ASKING = ("ansible.builtin.pause", "pause")
_TELLING = ("ansible.builtin.debug", "debug", "rdna1_plan")
_FAILING = ("ansible.builtin.fail", "fail")
_LAST_LINES = 10
# Of Ansible's colours.
_HEADING, _CHANGED, _GOOD, _BAD = "cyan", "yellow", "green", "red"
_INDENT = " " * 12


class Brief(FullOutput):
    """What a run does and finds."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rdna1_progress"

    def __init__(self) -> None:
        """Begin with nothing to say."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._begun = self._task_begun = time.monotonic()
        self._heading = self._role = ""
        self._hosts: list[str] = []
        self._unreachable: set[str] = set()
        self._has_said = False
        self._progress: Progress | None = None
        self._process = os.getpid()
        self._display_all = self._display.display

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - Ansible's signature
        """Take the place of the line that moves before anything else is shown."""
        if sys.stdout.isatty():
            self._progress = Progress(sys.stdout.fileno())
        # Actions show their reports themselves, through the same object.
        self._display.display = self._show  # type: ignore[method-assign]

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Name the play and its hosts."""
        self._hosts = [
            str(host) for host in play._variable_manager._inventory.get_hosts(play.hosts)
        ]
        where = self._hosts[0] if len(self._hosts) == 1 else f"{len(self._hosts)} hosts"
        self._role = self._heading = ""
        self._show(f"{play.get_name().strip()}: {where}", color=_HEADING)

    def v2_playbook_on_task_start(
        self,
        task: Any,
        is_conditional: bool,  # noqa: ARG002 - Ansible's signature
    ) -> None:
        """Say what is going on."""
        role = str(task._role.get_name()) if task._role else ""
        if role != self._role:
            self._role = self._heading = role
        self._task_begun = time.monotonic()
        self._has_said = False
        if self._progress and task.action in _ASKING:
            self._progress.end()
        elif self._progress:
            self._progress.begin(f"{role}: {task.name}" if role else task.name)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Leave it to the line that moves."""

    def v2_runner_on_ok(self, result: Any) -> None:
        """Name what was changed, or took long, and show what a task has to say."""
        self._handle_warnings(result.result)
        seconds = time.monotonic() - self._task_begun
        details: Mapping[str, Any] = result.result
        if result.task.action in _TELLING and details.get("msg"):
            self._tell(details["msg"])
        elif details.get("changed"):
            word = "to do" if result.task.check_mode else "done"
            self._line(word, result, seconds, _CHANGED)
        elif seconds > _LONG and not self._has_said:
            self._line("ok", result, seconds, _GOOD)

    def v2_runner_on_failed(
        self,
        result: Any,
        ignore_errors: bool = False,  # noqa: ARG002 - Ansible's signature
    ) -> None:
        """Name what failed, and why."""
        self._handle_warnings(result.result)
        self._line("FAILED", result, 0, _BAD)
        if result.task.action in _FAILING or not _is_rescued(result.task):
            self._tell(_cause(result.result), _BAD)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Name what is out of reach."""
        self._unreachable.add(result.host.get_name())
        self._line("no answer", result, 0, _BAD)
        self._tell(result.result.get("msg", ""), _BAD)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Leave it out."""

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Leave it to the task."""

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Leave it to the task."""

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Leave it out."""

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Leave it out."""

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Sum up."""
        if self._progress:
            self._progress.end()
        self._heading = ""
        self._show(f"\nFinished in {duration(time.monotonic() - self._begun)}")
        for host in sorted(stats.processed):
            summary = stats.summarize(host)
            how, colour = "no failure", _GOOD
            if summary["unreachable"] or host in self._unreachable:
                how, colour = "out of reach", _BAD
            elif summary["failures"]:
                how, colour = "FAILED: -v shows all", _BAD
            self._show(f"  {host}: {_changes(summary['changed'])}, {how}", color=colour)

    def _print_task_banner(self, task: Any) -> None:
        """Name the task whose differences follow."""
        self._last_task_banner = task._uuid
        self._show(f"  {task.name}:")

    def _show(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Show a text after the heading that it belongs to."""
        if os.getpid() == self._process:
            if self._progress:
                self._progress.clear()
            self._has_said = True
            if self._heading:
                heading, self._heading = self._heading, ""
                self._display_all(f"\n{heading}", color=_HEADING)
        self._display_all(msg, *arguments, **options)

    def _line(self, word: str, result: Any, seconds: float, colour: str) -> None:
        took = f" ({duration(seconds)})" if seconds > _LONG else ""
        host = f" [{result.host.get_name()}]" if len(self._hosts) > 1 else ""
        self._show(f"  {word:<10}{result.task.name}{host}{took}", color=colour)

    def _tell(self, said: Any, colour: str | None = None) -> None:
        """Show what a task has to say, indented; on a terminal in lines of its width."""
        for text in said if isinstance(said, list) else [said]:
            for line in str(text).splitlines():
                shown = [line]
                if sys.stdout.isatty():
                    width = terminal_style().width - len(_INDENT)
                    shown = _wrapped(line, max(width, 20))
                for part in shown:
                    self._show(f"{_INDENT}{part}", color=colour)


def _changes(number: int) -> str:
    if not number:
        return "nothing changed"
    todo = " to do" if context.CLIARGS.get("check") else ""
    return f"{number} change{'' if number == 1 else 's'}{todo}"


# Selected by ``ansible.cfg``.
CallbackModule: type[FullOutput] = Brief if _HAS_RDNA1 and not Display().verbosity else FullOutput


def _wrapped(line: str, width: int) -> list[str]:
    """Return the lines of a text, with the names of packages and paths as they are."""
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]


def _is_rescued(task: Any) -> bool:
    """Return whether a task that fails has others that follow, and tell."""
    block = task._parent
    while block is not None:
        if getattr(block, "rescue", None):
            return True
        block = block._parent
    return False


def _cause(details: Mapping[str, Any]) -> str:
    """Return why a task failed, or each item that did, with the end of what its program printed."""
    items = [each for each in details.get("results", []) if each.get("failed")]
    if items:
        return "\n".join(f"{_label(each)}: {_cause(each)}" for each in items)
    printed = str(details.get("stderr") or details.get("module_stderr") or "").splitlines()
    return "\n".join([str(details.get("msg", "")), *printed[-_LAST_LINES:]])


def _label(item: Mapping[str, Any]) -> str:
    """Return how a task calls an item of its loop."""
    return str(item.get("_ansible_item_label", item.get("item", "")))
