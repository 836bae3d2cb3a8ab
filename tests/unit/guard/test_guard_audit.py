"""``rdna1-audit``: which convolutions of a model leave an envelope."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="a model is a torch.nn.Module")

from rdna1.cli.audit import main

jsonschema: Any = importlib.import_module("jsonschema")
ROOT = Path(__file__).parents[3]
RESNET = f"{ROOT / 'tests' / 'support' / 'models.py'}:resnet50"


def audited(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON report, which keeps its schema."""
    assert main([*arguments, "--format", "json"]) == code
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs" / "schemas" / "audit.schema.json").read_text())
    jsonschema.validate(report, schema)
    return report


def model(folder: Path, body: str) -> str:
    file = folder / "model.py"
    file.write_text(f"import torch\nfrom torch import nn\n\n\ndef make():\n{body}\n")
    return f"{file}:make"


def test_resnet50_has_fourteen_convolutions_outside_a_side_of_42(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = audited(capsys, RESNET, "--input", "1x3x224x224", "--max-side", "42")
    assert (report["convolutions"], report["outside"], report["on_cpu"]) == (53, 14, 0)
    outside = [layer for layer in report["layers"] if not layer["inside"]]
    assert outside[0]["name"] == "0" and outside[0]["layer"] == "conv2d 3->64 7x7 at 1x3x224x224"
    # No gradient of an image is computed.
    assert [call["direction"] for call in outside[0]["calls"]] == ["forward", "backward-weights"]
    assert len(outside[1]["calls"]) == 3
    assert all(call["exceeds"].endswith("above 42") for each in outside for call in each["calls"])
    assert report["pooling"] == 6
    assert 1 < report["overhead"] < 1.5


def test_text_of_80_columns_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    made = model(tmp_path, "    return nn.Conv2d(3, 4, 3)")
    arguments = [made, "--input", "1x3x64x64", "--max-side", "42"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "1 convolutions: 0 inside, 1 outside" in text and "python -m rdna1.guard" in text
    assert main([*arguments, "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.count('<rect class="outside"') == 1 and "<script" not in page


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = model(tmp_path, "    return nn.Conv2d(3, 4, 50)")
    shape = ["--input", "1x3x64x64"]
    inside = audited(capsys, made, *shape, "--max-side", "64", "--strict")
    assert inside["outside"] == 0 and inside["pooling"] is None
    audited(capsys, made, *shape, "--max-side", "60")
    audited(capsys, made, *shape, "--max-side", "60", "--strict", code=1)
    on_cpu = audited(capsys, made, *shape, "--max-side", "42", code=1)
    assert on_cpu["on_cpu"] == 1 and on_cpu["overhead"] is None


def test_transposed_and_functional_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
            self.weight = nn.Parameter(torch.empty(2, 2, 3, 3))

        def forward(self, x):
            return nn.functional.conv2d(self.up(x), self.weight)

    return Net()"""
    report = audited(capsys, model(tmp_path, body), "--input", "2x4x30x30", "--max-side", "42")
    assert [layer["name"] for layer in report["layers"]] == ["up", ""]
    assert [call["direction"] for call in report["layers"][0]["calls"]] == [
        "backward-data",
        "backward-weights",
    ]


@pytest.mark.parametrize(
    ("body", "arguments", "reason"),
    [
        ("    return 3", [], "returned int. Remedy: return a torch.nn.Module"),
        ("    return nn.Conv2d(4, 4, 3)", [], "raised RuntimeError for 1x3x64x64"),
        ("    raise KeyError('weights')", [], "raised KeyError: 'weights'. Remedy"),
        (
            "    from urllib.request import urlopen\n    return urlopen('http://127.0.0.1:9')",
            [],
            "an audit does not use the network",
        ),
        ("    return nn.ReLU()", ["--input", "1x"], "1x is not a shape such as"),
        ("    return nn.ReLU()", ["--envelope", "e.json"], "leave out --max-side"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    body: str,
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = model(tmp_path, body)
    assert main([made, "--input", "1x3x64x64", "--max-side", "42", *arguments]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model.py", "name it as FILE.py:FACTORY"),
        ("no-such.py:make", "no-such.py: no such file"),
        (f"{ROOT / 'tests' / 'support' / 'models.py'}:resnet", "has no function resnet; it has"),
    ],
)
def test_a_wrong_name_is_one_line(
    name: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--input", "1x3x64x64", "--max-side", "42"]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1
