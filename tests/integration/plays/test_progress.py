"""What a run shows: what it does and finds, and Ansible's full output with -v."""

from __future__ import annotations

import os
import re
from pathlib import Path

from support.local_play import play_here

PLAY = """
- name: Provision
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Look for nothing
      ansible.builtin.stat: {path: FOLDER}
    - name: Leave this out
      ansible.builtin.stat: {path: FOLDER}
      when: false
    - name: Include more
      ansible.builtin.include_tasks: more.yml
    - name: Write a file
      ansible.builtin.copy: {dest: FOLDER/written, content: "one\\n", mode: "0644"}
    - name: Say what was found
      ansible.builtin.debug: {msg: three cards}
    - name: Try
      block:
        - name: Install
          ansible.builtin.fail: {msg: the archive said something long}
      rescue:
        - name: Say what stopped the installation
          ansible.builtin.fail: {msg: no room. Remedy - make some}
      always:
        - name: Take each away
          ansible.builtin.fail: {msg: somebody uses it}
          when: item.name == "two"
          loop: [{name: one}, {name: two}]
          loop_control: {label: "{{ item.name }}"}
"""


def run(folder: Path, *options: str, **variables: str) -> tuple[int, str]:
    folder.joinpath("more.yml").write_text("- name: Nothing\n  ansible.builtin.meta: noop\n")
    mine = {n: v for n, v in os.environ.items() if n != "ANSIBLE_STDOUT_CALLBACK"}
    done = play_here(PLAY, folder, *options, environment={**mine, **variables})
    # How long a task took is said of long ones, as all are on a busy machine.
    return done.returncode, re.sub(r" \([^()]* s\)$", "", done.stdout, flags=re.MULTILINE)


def test_a_run_names_what_it_does_and_finds(tmp_path: Path) -> None:
    status, shown = run(tmp_path)
    assert status == 2, shown
    first, *lines, finished, summary = shown.splitlines()
    assert first == "Provision: localhost"
    assert lines == [
        "  done      Write a file",
        "            three cards",
        "  FAILED    Install",
        "            the archive said something long",
        "  FAILED    Say what stopped the installation",
        "            no room. Remedy - make some",
        "  FAILED    Take each away",
        "            two: somebody uses it",
        "",
    ]
    assert finished.startswith("Finished in ")
    assert summary == "  localhost: 1 change, FAILED: -v shows all"


def test_a_dry_run_says_what_there_is_to_do(tmp_path: Path) -> None:
    _, shown = run(tmp_path, "--check", "--diff")
    assert "  to do     Write a file\n" in shown
    assert "+one\n" in shown
    assert "  localhost: 1 change to do, FAILED" in shown


def test_all_of_it_is_shown_with_v(tmp_path: Path) -> None:
    _, shown = run(tmp_path, "-v")
    assert "TASK [Leave this out]" in shown
    assert "PLAY RECAP" in shown


def test_an_ansible_that_cannot_import_this_project_gets_as_far_as_the_remedy(
    tmp_path: Path,
) -> None:
    package = tmp_path / "rdna1"
    package.mkdir()
    package.joinpath("__init__.py").write_text("raise ImportError(__name__)\n")
    _, shown = run(tmp_path, PYTHONPATH=str(tmp_path))
    assert "TASK [Write a file]" in shown
    assert "PLAY RECAP" in shown
