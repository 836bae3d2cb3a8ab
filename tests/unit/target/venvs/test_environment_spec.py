"""The lock in the sections that are installed one after the other."""

from __future__ import annotations

from pathlib import Path

from rdna1.target.venvs.spec import LOCK_MARK, Spec

LOCK = f"""\
# The wheels of this stack.
numpy==1.26.4 \\
    --hash=sha256:{"1" * 64}
torch==2.2.2+rocm5.7 \\
    --hash=sha256:{"2" * 64} \\
    --hash=sha256:{"3" * 64}
torchvision==0.17.2+rocm5.7 \\
    --hash=sha256:{"4" * 64}
not a requirement
{LOCK_MARK}rich==14.0.0 \\
    --hash=sha256:{"5" * 64}
"""
NOWHERE = Path("/nowhere")
SPEC = Spec(
    stack="rocm-5.7",
    prefix=NOWHERE,
    uv=NOWHERE,
    wheel=NOWHERE,
    wheel_digest="0",
    python="3.12",
    index_url="https://stack",
    project_index_url="https://project",
)


def test_each_section_has_its_index_and_nothing_is_lost() -> None:
    stack, project = SPEC._replace(lock=LOCK).sections()
    assert (stack[1], project[1]) == ("https://stack", "https://project")
    # What uv cannot read is for uv to refuse.
    assert stack[0].splitlines() == LOCK.partition(LOCK_MARK)[0].splitlines()[1:]
    assert project[0] == LOCK.partition(LOCK_MARK)[2]


def test_without_a_lock_there_is_nothing_to_install() -> None:
    assert SPEC.sections() == [("", "https://stack"), ("", "https://project")]
