"""The action rdna1_plan: facts are collected where they are missing, what cannot be is refused."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

from support.local_play import play_here

PLAY = """
- name: Plan on a machine of which nothing is known
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Plan the variables of a home
      rdna1_plan: {part: environment, scope: user, environment_variables: {DAY: 2026-11-30}}
      register: plan
    - name: Write down what is planned and known
      ansible.builtin.copy:
        dest: FOLDER/planned.json
        content: >-
          {{ [plan.links, ansible_facts['rdna1'].schema_version, plan.files[0].content] | to_json }}
        mode: "0644"
    - name: Plan with a stack that there is not
      rdna1_plan: {part: rocm, stack: rocm-57}
"""


def test_facts_are_collected_and_a_wrong_stack_is_refused(tmp_path: Path) -> None:
    done = play_here(PLAY, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    links, schema, profile = json.loads(tmp_path.joinpath("planned.json").read_text())
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert f"{home}/.local/bin/rdna1-validate" in links
    assert schema == 1
    assert "DAY=2026-11-30" in profile.replace("'", "")
    assert "did you mean rocm-5.7?" in done.stdout
