"""Requests to the plan, for machines that differ from a healthy one in what a test names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.plan.options import ROOT, Options, Request, User
from rdna1.preflight.facts import Facts, OperatingSystem, load_facts
from rdna1.target.facts.collect import collect

FIXTURES = Path(__file__).parents[2] / "fixtures"
ANN = User("/home/ann", 1000, 1000)
Ask = Callable[..., Request]


@pytest.fixture(scope="session")
def healthy() -> Facts:
    """Facts of an Ubuntu 24.04 with an RX 5700 XT."""
    return load_facts(collect(str(FIXTURES / "ubuntu-24.04-rx5700xt"), ["ann"]))


@pytest.fixture
def ask(healthy: Facts) -> Ask:
    """Return a request: options by name, ``machine`` for facts, ``apt`` for those of apt."""

    def make(
        release: str = "ubuntu 24.04",
        machine: dict[str, Any] | None = None,
        apt: dict[str, Any] | None = None,
        **options: Any,
    ) -> Request:
        os, version = release.split()
        facts = msgspec.structs.replace(
            healthy,
            os=OperatingSystem(os, version, None, release, []),
            apt=msgspec.structs.replace(healthy.apt, **(apt or {})),
            **(machine or {}),
        )
        asked = Options(**options)
        return Request(asked, facts, ROOT if asked.scope == "system" else ANN)

    return make
