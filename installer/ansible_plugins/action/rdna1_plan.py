"""Resolve what a role does on a machine; see `rdna1.plan`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_origin

import msgspec
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rdna1.catalog.stacks import requested_packages
from rdna1.errors import InputError
from rdna1.mirror import MirrorError
from rdna1.mirror.installation import CheckedMirror, Installation, installation
from rdna1.plan.options import ROOT, Options, Part, Request, User
from rdna1.plan.parts import PARTS
from rdna1.plan.pytorch import PytorchPlan
from rdna1.plan.rocm import RocmPlan
from rdna1.plan.state import state_plan
from rdna1.preflight import load_facts
from rdna1.target.printable import printable, printable_lines

# The only part for which the machine need not be looked at.
_STATE = "state"
# The only part that is made from others: their plans, and the mirror.
_OFFLINE = "offline"
_MADE_FROM = ("mirror", "rocm", "pytorch")
_TYPES = {bool: "bool", list: "list", dict: "dict"}


class ActionModule(ActionBase):
    """Plans a part on the controller; collects the machine's facts where they are not known."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the action; see ``ansible.plugins.action.ActionBase``."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        validated = self.validate_argument_spec(arguments())  # type: ignore[no-untyped-call]
        # What YAML reads as a date is a text for a shell.
        asked = json.loads(json.dumps(validated[1], default=str))
        part = str(asked.pop("part"))
        made_from = {name: asked.pop(name) for name in _MADE_FROM}
        try:
            options = msgspec.convert(asked, Options)
            if part == _STATE:
                return {**result, "changed": False, **_plain(state_plan(options.scope))}
            facts = self._facts(options, variables)
            known = {**variables["ansible_facts"], **facts}
            user = ROOT if options.scope == "system" else _user(known)
            request = Request(options, load_facts(known["rdna1"]), user)
            plan = _offline(request, made_from) if part == _OFFLINE else PARTS[part](request)
        except (InputError, MirrorError, msgspec.ValidationError) as error:
            raise AnsibleActionFail(printable_lines(str(error))) from error
        return {**result, "changed": False, "ansible_facts": facts, **_plain(plan)}

    def _facts(self, options: Options, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the facts that the host does not have yet."""
        known: Mapping[str, Any] = variables["ansible_facts"]
        facts: dict[str, Any] = {}
        if options.scope == "user" and "user_dir" not in known:
            subset = {"gather_subset": ["!all", "!min", "user"]}
            facts |= self._collect("ansible.builtin.setup", subset, variables)
        if "rdna1" not in known:
            of_user = [str({**known, **facts}["user_id"])] if options.scope == "user" else []
            asked = {"users": options.users or of_user, "packages": requested_packages()}
            facts |= self._collect("rdna1_facts", asked, variables)
        return facts

    def _collect(
        self, module: str, arguments: Mapping[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name=module, module_args=dict(arguments), task_vars=variables
        )
        if done.get("failed"):
            raise AnsibleActionFail(printable(str(done.get("msg", module))), result=done)
        facts: dict[str, Any] = done["ansible_facts"]
        # Ansible's own begin with its name in what its module returns.
        return {name.removeprefix("ansible_"): value for name, value in facts.items()}


def _offline(request: Request, made_from: Mapping[str, Any]) -> Installation:
    mirror = msgspec.convert(made_from["mirror"], CheckedMirror)
    rocm = msgspec.convert(made_from["rocm"], RocmPlan)
    return installation(request, mirror, rocm, msgspec.convert(made_from["pytorch"], PytorchPlan))


def _plain(plan: Part) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(plan)
    return {**plain, "msg": plan.summary}


def _user(facts: Mapping[str, Any]) -> User:
    return User(str(facts["user_dir"]), int(facts["user_uid"]), int(facts["user_gid"]))


def arguments() -> dict[str, dict[str, Any]]:
    """Return the specification of the arguments, which are the options of a plan."""
    spec: dict[str, dict[str, Any]] = {
        "part": {"type": "str", "required": True, "choices": [*PARTS, _STATE, _OFFLINE]},
        **{name: {"type": "dict", "default": {}} for name in _MADE_FROM},
    }
    for field in msgspec.structs.fields(Options):
        origin = get_origin(field.type) or field.type
        spec[field.name] = {"type": _TYPES.get(origin, "str"), "required": field.required}
        if origin is list:
            spec[field.name]["elements"] = "str"
        if not field.required:
            fresh = field.default is msgspec.NODEFAULT
            spec[field.name]["default"] = field.default_factory() if fresh else field.default
    return spec
