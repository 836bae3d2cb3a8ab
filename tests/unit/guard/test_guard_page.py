"""docs/guard.md shows what rdna1-audit prints; torch has what the pages call."""

from __future__ import annotations

import pytest
import torch

from rdna1.cli.audit import main
from support.shown_commands import ROOT, Shown, matches, shown_commands

SHOWN = [s for s in shown_commands(ROOT / "docs" / "guard.md") if s.words[0] == "rdna1-audit"]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.line)
def test_the_page_shows_what_the_audit_prints(
    shown: Shown, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(shown.words[1:]) == 0
    assert matches(shown.output, capsys.readouterr().out)


def test_torch_has_what_the_first_program_calls() -> None:
    # docs/install.md calls it where a card is.
    assert callable(torch.cuda.get_device_name)
