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


def test_torch_is_a_section_of_its_own_and_nothing_is_lost() -> None:
    spec = SPEC._replace(lock=LOCK)
    (stack, stack_index), (project, project_index) = spec.sections()
    torch, torch_index = spec.torch_section()
    assert (stack_index, torch_index, project_index) == (
        "https://stack",
        "https://stack",
        "https://project",
    )
    assert torch == LOCK[LOCK.index("torch==") : LOCK.index("torchvision")]
    assert project == LOCK.partition(LOCK_MARK)[2]
    # What uv cannot read is for uv to refuse.
    assert stack.splitlines() == [
        line for line in LOCK.partition(LOCK_MARK)[0].splitlines()[1:] if line not in torch
    ]


def test_without_a_lock_there_is_nothing_to_install() -> None:
    assert SPEC.sections() == [("", "https://stack"), ("", "https://project")]
    assert SPEC.torch_section() == ("", "https://stack")


def test_torch_with_an_extra_is_torch() -> None:
    native = f"torch[device-gfx1010]==2.12.0+rocm10.1.0 \\\n    --hash=sha256:{'2' * 64}\n"
    spec = SPEC._replace(lock=f"{native}torchvision==0.27.0\n{LOCK_MARK}rich==14.0.0\n")
    assert spec.torch_section() == (native, "https://stack")
    assert spec.sections()[0] == ("torchvision==0.27.0\n", "https://stack")
