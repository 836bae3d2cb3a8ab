"""Rule files of the simulated device."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rdna1.catalog.yaml_data import DataFileError
from rdna1.conv.case import ConvCase
from rdna1.sim.rules import load_rules

CASE = ConvCase(16, 32, 44, 40, 3, 3, padding=1)


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_rules_see_the_case_and_the_environment(tmp_path: Path) -> None:
    text = """
    - {when: "max(h, w) > 44", outcome: crash}
    - {when: "workspace == 16 * 9 * 44 * 40 * 4", outcome: hang}
    - {when: "env['MIOPEN_DEBUG_CONV_GEMM'] == '0'", outcome: slow}
    """
    held = [rule.holds(CASE, {}) for rule in load_rules(write(tmp_path, text))]
    assert held == [False, True, False]
    last = load_rules(tmp_path / "rules.yml")[-1]
    assert last.holds(CASE, {"MIOPEN_DEBUG_CONV_GEMM": "0"})


def test_rules_see_dimensions_transposition_and_memory_format(tmp_path: Path) -> None:
    text = """
    - {when: "dims == 3 and depth * kd == 36", outcome: hang}
    - {when: "transposed and output_padding == 1", outcome: hang}
    - {when: "memory_format == 'channels_last'", outcome: hang}
    """
    rules = load_rules(write(tmp_path, text))
    cases = [
        ConvCase(4, 8, 12, 12, 3, 3, dims=3, depth=12, kd=3),
        ConvCase(8, 4, 12, 12, 2, 2, stride=2, transposed=True, output_padding=1),
        msgspec.structs.replace(CASE, memory_format="channels_last"),
        CASE,
    ]
    held = [[rule.holds(case, {}) for rule in rules] for case in cases]
    assert held == [[place == rule for rule in range(3)] for place in range(4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {when: h > 1, outcome: hang}\n- {when: hh > 1, outcome: hang}", ":2: [1]: when: posi"),
        ("- {when: h > 1, outcome: explode}", ":1: [0].outcome: Invalid enum value 'explode'"),
        ("-\n  when: h > 1\n  outcom: hang", ":3: [0].outcom: Object contains unknown field"),
        ("- {when: h > 1}", ":1: [0]: Object missing required field `outcome`"),
        ("- {when: 1, outcome: hang}", ":1: [0].when: Expected `str`, got `int`"),
        ("when: h > 1", ":1: top level: Expected `array`, got `object`"),
        ("", ":1: top level: Expected `array`, got `null`"),
        ("a: b: c", ":1: not YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataFileError) as caught:
        load_rules(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.yml: No such file"):
        load_rules(tmp_path / "none.yml")
