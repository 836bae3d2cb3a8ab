"""``rdna1-audit`` of files that torch.export and torch.onnx write in the test."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch writes the files")

import torch
from torch import Tensor, nn

from rdna1.cli.audit import main

SHAPE = "1x3x64x64"


class Net(nn.Module):
    """A plain, a strided grouped and a transposed convolution, and one of a function."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, (5, 3), 2, (2, 1), groups=4, bias=False)
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, output_padding=1)
        self.weight = nn.Parameter(torch.rand(2, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Compute it."""
        x = self.up(self.down(self.stem(x).relu()).relu())
        return nn.functional.conv2d(x, self.weight, padding=2, dilation=2).mean((2, 3))


def exported(folder: Path, **options: Any) -> Path:
    file = folder / "net.pt2"
    with warnings.catch_warnings():
        # torch's own words about its modules.
        warnings.simplefilter("ignore")
        program = torch.export.export(Net().eval(), (torch.rand(1, 3, 64, 64),), **options)
        torch.export.save(program, file)
    return file


def lowered(folder: Path) -> Path:
    """The same after torch's decompositions, which know one convolution alone."""
    file = folder / "lowered.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Net().eval(), (torch.rand(1, 3, 64, 64),))
        torch.export.save(program.run_decompositions(), file)
    return file


def written_by_onnx(folder: Path, **options: Any) -> Path:
    file = folder / "net.onnx"
    given = {"dynamo": False, **options}
    with warnings.catch_warnings():
        # The exporter is an older one, which needs no further package.
        warnings.simplefilter("ignore")
        torch.onnx.export(Net().eval(), (torch.rand(1, 3, 64, 64),), str(file), **given)
    return file


def report_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert main([*map(str, arguments), "--max-side", "42", "--format", "json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def of_source(folder: Path, capsys: pytest.CaptureFixture[str], shape: str = SHAPE) -> Any:
    source = folder / "source.py"
    source.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"from {Path(__file__).stem} import Net\n"
    )
    return report_of(capsys, f"{source}:Net", "--input", shape)


def computed(report: Any) -> Any:
    """What is said of the convolutions, but for the names of their layers."""
    return [{**layer, "name": ""} for layer in report["layers"]]


@pytest.mark.parametrize("write", [exported, lowered])
def test_an_exported_program_is_audited_as_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path], Path]
) -> None:
    found = report_of(capsys, write(tmp_path))
    expected = of_source(tmp_path, capsys)
    assert found["inputs"] == [SHAPE] and found["exported"]
    assert (found["convolutions"], found["outside"]) == (4, 4)
    assert computed(found) == computed(expected)
    assert [layer["name"] for layer in found["layers"]] == ["stem", "down", "up", ""]


def test_a_program_of_varying_size_is_audited_for_the_size_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    height, width = torch.export.Dim("h", min=8), torch.export.Dim("w", min=8)
    file = exported(tmp_path, dynamic_shapes={"x": {2: height, 3: width}})
    found = report_of(capsys, file, "--input", "1x3x32x40")
    assert computed(found) == computed(of_source(tmp_path, capsys, "1x3x32x40"))
    assert found["outside"] == 0


def test_text_says_that_the_guard_leaves_a_graph_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(exported(tmp_path)), "--max-side", "42"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the guard leaves an exported graph as it is: run the Python model under it" in said
    assert "python -m rdna1.guard" not in said


def test_an_onnx_file_is_audited_as_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report_of(capsys, written_by_onnx(tmp_path))
    assert found["inputs"] == [SHAPE]
    assert computed(found) == computed(of_source(tmp_path, capsys))


def test_an_onnx_file_of_varying_size_needs_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = {"x": {0: "n", 2: "h", 3: "w"}}
    file = written_by_onnx(tmp_path, input_names=["x"], dynamic_axes=axes)
    assert main([str(file), "--max-side", "42"]) == 2
    said = capsys.readouterr().err
    assert "leaves the size of its input open (Nx3xNxN). Remedy: --input" in said
    found = report_of(capsys, file, "--input", "2x3x32x40")
    assert computed(found) == computed(of_source(tmp_path, capsys, "2x3x32x40"))
    assert main([str(file), "--max-side", "42", "--input", "2x4x32x40"]) == 2
    assert "is for inputs of Nx3xNxN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("net.pt2", b"damaged", "cannot load it"),
        ("net.onnx", b"damaged", "is not an ONNX file"),
        ("net.onnx", b"", "is not an ONNX file: it holds no operator"),
    ],
)
def test_a_damaged_file_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    reason: str,
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([str(file), "--max-side", "42"]) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1


def test_without_the_package_onnx_the_remedy_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    file = tmp_path / "net.onnx"
    file.write_bytes(b"any")
    assert main([str(file), "--max-side", "42"]) == 2
    assert "needs the package onnx. Remedy: pip install onnx" in capsys.readouterr().err


def test_a_missing_file_or_shape_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["no.pt2", "--max-side", "42"]) == 2
    assert "no.pt2: no such file" in capsys.readouterr().err
    file = exported(tmp_path)
    assert main([str(file), "--max-side", "42", "--input", "1x3x64x64", "--input", "1"]) == 2
    assert "the program has 1 inputs, not 2" in capsys.readouterr().err
    assert main([str(file), "--max-side", "42", "--input", "1x4x64x64"]) == 2
    assert "the program raised RuntimeError for 1x4x64x64" in capsys.readouterr().err
