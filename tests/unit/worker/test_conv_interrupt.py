"""Ctrl-C during a clean-up."""

from __future__ import annotations

import signal

import pytest

from rdna1.worker.interrupt import interrupts_held


def test_an_interrupt_comes_after_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held(drop=False):
        signal.raise_signal(signal.SIGINT)
        done.append("clean-up")
    assert done == ["clean-up"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_is_dropped() -> None:
    done = []
    with interrupts_held(drop=True):
        signal.raise_signal(signal.SIGINT)
        done.append("clean-up")
    assert done == ["clean-up"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
