"""Kernel messages; files and a pipe take the place of /dev/kmsg."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdna1.worker.kernel_log import (
    KERNEL_LOG,
    KernelLog,
    KernelMessage,
    MessagePattern,
    load_patterns,
)

RESET = "amdgpu 0000:08:00.0: amdgpu: GPU reset begin!"


def record(text: str) -> str:
    return f"3,1234,5678901,-;{text}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:08:00.0\n"


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "kmsg"
    path.write_text(record(RESET), encoding="utf-8")
    return path


@pytest.mark.parametrize("entry", load_patterns(), ids=lambda entry: entry.pattern)
def test_each_published_message_is_recognised(log_file: Path, entry: MessagePattern) -> None:
    log = KernelLog(log_file)
    with log_file.open("a", encoding="utf-8") as file:
        file.write(record(entry.example))
    assert log.poll() == [KernelMessage(entry.kind, entry.example)]
    assert entry.source.startswith("https://")
    log.close()


@pytest.mark.parametrize(
    "text",
    [
        # From the reports that the messages are from.
        "amdgpu 0000:65:00.0: amdgpu: ring gfx_0.0.0 uses VM inv eng 0 on hub 0",
        "amdgpu 0000:03:00.0: [drm] REG_WAIT timeout 1us * 100 tries - dcn32_program_compbuf_size",
        "[drm] DMUB hardware initialized: version=0x0400002E",
        "NVRM: GPU at PCI:0000:01:00: GPU-8ba16ede-b303-d769-7297-d266d9383b89",
    ],
)
def test_ordinary_messages_are_not(log_file: Path, text: str) -> None:
    log = KernelLog(log_file)
    with log_file.open("a", encoding="utf-8") as file:
        file.write(record(text))
    assert log.poll() == []
    log.close()


def test_what_was_there_before_is_not_read_and_nothing_twice(log_file: Path) -> None:
    log = KernelLog(log_file)
    assert (log.poll(), log.unavailable) == ([], "")
    with log_file.open("a", encoding="utf-8") as file:
        file.write(record(RESET))
    assert [message.text for message in log.poll()] == [RESET]
    assert log.poll() == []
    log.close()
    assert log.poll() == []


def test_a_pipe_never_blocks_and_a_record_may_come_in_parts(tmp_path: Path) -> None:
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    log = KernelLog(pipe)
    assert log.poll() == []
    with pipe.open("wb", buffering=0) as writer:
        text = record(RESET).encode()
        writer.write(text[:30])
        assert log.poll() == []
        writer.write(text[30:])
        assert log.poll() == [KernelMessage("reset", RESET)]
    log.close()


def test_a_log_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    log = KernelLog(tmp_path / "kmsg")
    assert log.poll() == []
    assert log.unavailable == f"{tmp_path / 'kmsg'}: No such file or directory"


@pytest.mark.skipif(not os.access(KERNEL_LOG, os.R_OK), reason="the kernel log is root's")
def test_the_real_log_opens_at_its_end() -> None:
    log = KernelLog()
    assert (log.poll(), log.unavailable) == ([], "")
    log.close()
