"""What stays of an envelope file that is written again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rdna1.cli.validate.envelope_file import write_envelope
from rdna1.guard import envelope as guard
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Envelope
from rdna1.measure.envelope_renewal import renewed
from rdna1.report.json import to_json

HERE = Conditions(device="AMD Radeon RX 5600 XT", torch="2.2.2+rocm5.7", date="2025-11-09")
FOUND = Envelope(max_side=42, max_workspace_bytes=None, source="measured", measured=HERE)
ROUTES = {"bypass": {"max_side": 512, "max_workspace_bytes": None}}


def with_routes(envelope: Envelope) -> str:
    """The file after its owner measured a route and wrote it there."""
    content: dict[str, Any] = json.loads(to_json(envelope))
    return json.dumps(content | {"routes": ROUTES})


def wider(**conditions: str) -> Envelope:
    """The result of a later search."""
    later = msgspec.structs.replace(HERE, date="2026-11-29", **conditions)
    return msgspec.structs.replace(FOUND, max_side=64, measured=later)


def test_routes_stay_in_a_file_that_is_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No search measures them, so none may take them away."""
    file = tmp_path / "envelope.json"
    file.write_text(with_routes(FOUND))
    write_envelope(wider(), file)
    assert json.loads(file.read_text())["routes"] == ROUTES
    read = guard.load(file)
    assert (read.max_side, read.bypass) == (64, guard.Pair(512, None))
    assert not capsys.readouterr().err


def test_routes_of_another_stack_go_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were measured with something that is not there any more."""
    file = tmp_path / "envelope.json"
    file.write_text(with_routes(FOUND))
    write_envelope(wider(torch="2.9.0"), file)
    assert "routes" not in json.loads(file.read_text())
    assert capsys.readouterr().err == (
        f"rdna1-validate: --envelope {file}: its routes were measured elsewhere and are left out: "
        "torch was 2.2.2+rocm5.7 and is 2.9.0\n"
    )


def test_the_role_keeps_routes() -> None:
    """Both where the limit is another one now and where the file stays as it is."""
    earlier = with_routes(FOUND)
    assert json.loads(to_json(renewed(earlier, wider())))["routes"] == ROUTES
    assert json.loads(to_json(renewed(earlier, FOUND))) == json.loads(earlier)


@pytest.mark.parametrize("earlier", ["", "{damaged", '{"routes": 1}', "\udcff"])
def test_nothing_stays_of_what_is_no_envelope(tmp_path: Path, earlier: str) -> None:
    """A damaged file is written again as a new one."""
    file = tmp_path / "envelope.json"
    file.write_bytes(earlier.encode(errors="surrogateescape"))
    write_envelope(FOUND, file)
    assert file.read_text() == to_json(FOUND)
