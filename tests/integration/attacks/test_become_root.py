"""No ordinary user becomes root by what root does with this project, tried on a real machine."""

from __future__ import annotations

from pathlib import Path

from integration.attacks.become_root import ROOT, attempts, machine


def test_every_way_to_root_is_closed(tmp_path: Path) -> None:
    with machine(ROOT, tmp_path) as attacked:
        tried = list(attempts(attacked))
    print("\n".join(map(str, tried)))
    assert "5 of 5 files repaired" in tried[0].found
    assert [attempt for attempt in tried if attempt.led_to_root] == []
