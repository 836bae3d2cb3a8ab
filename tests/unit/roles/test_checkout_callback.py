"""When the callback looks at the checkout."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[3]
FILE = ROOT / "installer/ansible_plugins/callback/rdna1_checkout.py"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The plugin, with a fake ./run that refuses."""
    spec = importlib.util.spec_from_file_location("rdna1_checkout", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run = tmp_path / "run"
    run.write_text('[ "$1" = checkout ]\necho "run: refused" >&2\nexit 1\n')
    monkeypatch.setattr(module, "RUN", run)
    return module


@pytest.mark.parametrize("user", [0, 1000])
def test_a_play_that_becomes_root_is_checked_whoever_starts_it(
    plugin: ModuleType, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    callback = plugin.CallbackModule()
    if user == 0:
        with pytest.raises(SystemExit):
            callback.v2_playbook_on_start(None)
    else:
        callback.v2_playbook_on_start(None)
        callback.v2_playbook_on_play_start(SimpleNamespace(become=False))
        with pytest.raises(SystemExit):
            callback.v2_playbook_on_play_start(SimpleNamespace(become=True))


@pytest.mark.parametrize(("umask", "stays"), [(0o000, 0o022), (0o077, 0o077), (0o002, 0o022)])
def test_what_a_playbook_writes_nobody_else_may_change(
    plugin: ModuleType, umask: int, stays: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = os.umask(umask)
    try:
        plugin.CallbackModule().v2_playbook_on_start(None)
    finally:
        assert os.umask(before) == stays
