"""Run ``ansible.builtin.apt`` once nobody else uses dpkg or apt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display

from rdna1.cli.waiting_action import WaitingAction
from rdna1.target.credentials import text_without_credentials

_MODULE = "rdna1_apt"
_SECONDS = 600
_OF_LISTS = ("update_cache", "cache_valid_time")
# apt itself asks again for what it cannot reach. Ansible's five tries pause for half a minute, and
# what is signed wrongly or is gone does not change in that time.
_TRIES = {"update_cache_retries": 3}


class ActionModule(WaitingAction):
    """Waits, has the record of the run written, and calls the module."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments: dict[str, Any] = {"lock_timeout": _SECONDS, **self._task.args}
        if self._task.check_mode:
            return {**result, **self._apt(arguments, variables)}
        deadline = time.monotonic() + int(arguments["lock_timeout"])
        steps = [arguments]
        if arguments.get("name") and any(name in arguments for name in _OF_LISTS):
            # What apt is going to do is known once it has read the lists.
            update = {n: v for n, v in arguments.items() if n in (*_OF_LISTS, "lock_timeout")}
            steps = [update, {n: v for n, v in arguments.items() if n not in _OF_LISTS}]
        for step in steps:
            done = self._once_free(step, variables, deadline)
            if done.get("failed"):
                break
        return {**result, **done}

    def _once_free(
        self, arguments: dict[str, Any], variables: dict[str, Any], deadline: float
    ) -> dict[str, Any]:
        """Wait and run apt; again where another program took a lock in between."""
        timeout = {"lock_timeout": arguments["lock_timeout"]}
        question = {**timeout, **_question(arguments)}
        while True:
            ready = self.when_free(_MODULE, question, variables, deadline)
            if ready.get("failed"):
                return ready
            _announce(ready, variables)
            wanted = dict(arguments)
            if ready["lists_from_the_future"] and "cache_valid_time" in wanted:
                wanted["cache_valid_time"] = 0
            done = self._apt(wanted, variables)
            if not done.get("failed") or time.monotonic() >= deadline:
                return done
            if not self._module({**timeout, "wait": 0}, variables).get("holder"):
                return done

    def _apt(self, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.apt",
            module_args={**_TRIES, **arguments},
            task_vars=variables,
        )
        return _without_credentials(done) if done.get("failed") else done

    def _module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name=_MODULE, module_args=arguments, task_vars=variables
        )
        return done


def _without_credentials(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Return what apt said, which quotes addresses of sources and proxies."""
    said = {
        name: text_without_credentials(str(text))
        for name, text in failure.items()
        if name in ("msg", "stderr", "stdout")
    }
    return {**failure, **said}


def _announce(ready: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """Say what is going to be fetched, before a step that may last."""
    if ready.get("packages"):
        text = announcement(ready["packages"], ready["bytes"])
        Display().display(f"  [{variables['inventory_hostname']}] {text}")


def announcement(packages: int, size: int) -> str:
    """Return what is going to be installed, and how many bytes are fetched for it."""
    if not size:
        # All archives are there, or apt is going to say itself why it cannot.
        return f"{packages} packages, nothing to fetch"
    mib = size / 2**20
    return f"{packages} packages, {f'{mib:.0f}' if mib >= 1 else 'less than 1'} MiB to fetch"


def _question(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the module asks apt-get about, as ``ansible.builtin.apt`` is going to call it."""
    names = arguments.get("name")
    if not names:
        return {}
    if arguments.get("state") == "absent":
        return {"simulate": ["purge" if _is(arguments, "purge") else "remove"], "name": names}
    options = [
        *([] if _is(arguments, "install_recommends", "yes") else ["--no-install-recommends"]),
        *(["--allow-downgrades"] if _is(arguments, "allow_downgrade") else []),
    ]
    return {"simulate": [*options, "install"], "name": names}


def _is(arguments: Mapping[str, Any], name: str, default: str = "no") -> bool:
    return str(arguments.get(name, default)).lower() in ("yes", "true", "1", "on")
