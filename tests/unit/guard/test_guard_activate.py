from __future__ import annotations

import ast
import copy
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.ao.nn.quantized import functional as quantised_layers
from torch.nn.functional import conv2d as imported_early

from rdna1 import guard
from rdna1.guard import Envelope, present

INSTALLER = Path(guard.__file__).parents[2]
MEASURED = {"schema_version": 1, "max_side": 8, "max_workspace_bytes": None, "source": "measured"}


def model() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, stride=2)
    )


def tiles() -> int:
    return guard.status().tiles


def test_active_keeps_convolutions_inside_and_ends() -> None:
    net, x = model(), torch.rand(2, 3, 20, 20)
    expected, before = net(x), guard.status()
    with guard.active(Envelope(8)):
        torch.testing.assert_close(net(x), expected)
    after = guard.status()
    # 20 pixels in tiles of 6 or fewer, and 41 in tiles of an even number.
    assert after.split - before.split == 2
    assert after.tiles - before.tiles >= 2 * (4 * 4 + 6 * 6)
    net(x)
    assert guard.status() == after


def test_active_reaches_names_that_were_imported_before_and_other_threads() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    before = tiles()
    with guard.active(Envelope(8)):
        imported_early(x, weight)
        here = tiles()
        thread = threading.Thread(target=model(), args=(x,))
        thread.start()
        thread.join()
    assert before < here < tiles()
    assert nn.functional.conv2d is torch.conv2d is imported_early


def test_the_inner_of_two_guards_counts() -> None:
    x, weight = torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3)
    with guard.active(Envelope(8)):
        with guard.active(Envelope(100)):
            before = tiles()
            nn.functional.conv2d(x, weight)
            assert tiles() == before
        nn.functional.conv2d(x, weight)
    assert tiles() > before


def test_a_guard_ends_when_the_program_raises() -> None:
    original = nn.functional.conv2d
    with pytest.raises(KeyError), guard.active(Envelope(8)):
        raise KeyError
    assert nn.functional.conv2d is original


def test_a_wrapped_model_shares_everything_and_the_model_is_not_modified() -> None:
    net, x = model(), torch.rand(2, 3, 20, 20)
    state, attributes = copy.deepcopy(net.state_dict()), dict(vars(net))
    wrapped = guard.wrap(net, Envelope(8))
    before = tiles()
    torch.testing.assert_close(wrapped(x), net(x))
    assert tiles() > before
    assert isinstance(wrapped, nn.Sequential)
    assert list(wrapped.parameters()) == list(net.parameters())
    assert vars(net) == attributes and type(net) is nn.Sequential
    wrapped.load_state_dict(state)
    torch.testing.assert_close(wrapped.state_dict(), net.state_dict())


def test_a_wrapped_model_trains_the_model() -> None:
    net, x = model(), torch.rand(2, 3, 20, 20)
    torch.autograd.backward(net(x).square().sum())
    expected = [parameter.grad for parameter in net.parameters()]
    net.zero_grad(set_to_none=True)
    torch.autograd.backward(guard.wrap(net, Envelope(8))(x).square().sum())
    for parameter, grad in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, grad, rtol=1e-4, atol=1e-4)


def test_a_call_site_is_warned_of_once() -> None:
    program = """
import torch
from rdna1 import guard
layer, x = torch.nn.Conv2d(3, 4, 3), torch.rand(1, 3, 20, 20)
with guard.active(guard.Envelope(2)), torch.no_grad():
    for _ in range(3):
        layer(x)
print(guard.status().fallbacks)
"""
    done = run(program)
    assert done.stderr.count("FallbackWarning") == 1, done.stderr
    assert "<string>:7: FallbackWarning: conv2d 3->4 3x3 at 1x3x20x20" in done.stderr
    assert "Counter({'conv2d 3->4 3x3 at 1x3x20x20 forward': 3})" in done.stdout


def test_the_guard_needs_the_standard_library_and_torch_alone() -> None:
    program = """
import sys
import torch
before = set(sys.modules)
import rdna1.guard
ours = {name for name in set(sys.modules) - before}
print(sorted(ours - set(sys.stdlib_module_names)))
"""
    names = run(program).stdout
    modules = {name for name in ast.literal_eval(names) if not name.startswith("torch.")}
    assert modules and all(
        name == "rdna1" or f"{name}.".startswith("rdna1.guard.") for name in modules
    ), modules


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=INSTALLER,
        capture_output=True,
        text=True,
        check=True,
    )


def envelope_file(folder: Path, **content: Any) -> Path:
    file = folder / "envelope.json"
    file.write_text(json.dumps({**MEASURED, **content}))
    return file


def test_a_file_of_limits_is_read(tmp_path: Path) -> None:
    when = {"groups": [1], "kh": {"min": 3}, "direction": ["forward"]}
    file = envelope_file(
        tmp_path,
        backward={"max_side": None, "max_workspace_bytes": 70},
        limits=[{"quantity": "area", "max": 60, "when": when}, {"quantity": "work", "max": 9e9}],
    )
    envelope = guard.load(file)
    assert envelope.limits[0].when[1] == ("kh", guard.Range(3, float("inf")))
    before = tiles()
    guard.conv2d(torch.rand(1, 3, 20, 20), torch.rand(4, 3, 3, 3), envelope=file)
    assert tiles() > before
    before = tiles()
    guard.conv2d(torch.rand(1, 3, 20, 20), torch.rand(4, 3, 1, 1), envelope=file)
    assert tiles() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "indices"),
        ('{"schema_version": 2}', "schema_version is 2"),
        ('{"schema_version": 1}', "max_side"),
        (json.dumps({**MEASURED, "max_side": "8"}), "max_side is '8'"),
        (json.dumps({**MEASURED, "max_side": True}), "max_side is True"),
        (json.dumps({**MEASURED, "max_side": 0}), "max_side is 0"),
        (json.dumps({**MEASURED, "limits": [{"quantity": "x", "max": 1}]}), "limit 'x'"),
        (
            json.dumps({**MEASURED, "limits": [{"quantity": "side", "max": 1, "when": {"x": []}}]}),
            "unknown attribute 'x'",
        ),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_not_an_envelope_is_refused_in_one_line(
    content: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "envelope.json"
    file.write_text(content)
    with pytest.raises(guard.EnvelopeError) as error:
        guard.load(file)
    said = str(error.value)
    assert said.startswith(str(file)) and reason in said and "Remedy: rdna1-validate" in said
    assert "\n" not in said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(guard.EnvelopeError, match="No such file"), guard.active(tmp_path / "no"):
        pass


def test_without_an_envelope_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "default_file", lambda: None)
    with pytest.raises(guard.EnvelopeError, match="Remedy: measure one"), guard.active():
        pass


def test_an_envelope_of_another_stack_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = tmp_path / "stack.json"
    stack.write_text('{"stack": "therock"}')
    monkeypatch.setattr(present, "_STACK_FILE", str(stack))
    file = envelope_file(tmp_path, measured={"stack": "rocm-5.7"})
    said = pytest.warns(guard.FallbackWarning, match=r"stack was rocm-5\.7 and is therock")
    with said, guard.active(file):
        pass
    with pytest.raises(guard.OutsideEnvelopeError, match="does not hold here"):
        guard.wrap(model(), file, strict=True)
    stack.write_text('{"stack": "rocm-5.7"}')
    with guard.active(file):
        pass


@pytest.mark.parametrize(
    ("name", "then", "now"),
    [
        ("device", "AMD Radeon RX 5700", "AMD Radeon RX 5600 XT"),
        ("driver", "amdgpu 6.3.6", r"amdgpu 6\.2\.4"),
        ("hip", "5.2", r"5\.7\.3"),
    ],
)
def test_an_envelope_of_another_card_or_driver_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, then: str, now: str
) -> None:
    (tmp_path / "amdgpu").mkdir()
    (tmp_path / "amdgpu" / "version").write_text("6.2.4\n")
    monkeypatch.setattr(present, "_MODULES", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "AMD Radeon RX 5600 XT")
    monkeypatch.setattr(torch.version, "hip", "5.7.3")
    here = {"device": "AMD Radeon RX 5600 XT", "driver": "amdgpu 6.2.4", "hip": "5.7.3"}
    with guard.active(envelope_file(tmp_path, measured=here)):
        pass
    file = envelope_file(tmp_path, measured=here | {name: then})
    with pytest.warns(guard.FallbackWarning, match=f"{name} was {then} and is {now}"):
        guard.wrap(model(), file)
    with pytest.raises(guard.OutsideEnvelopeError, match="Remedy: measure again"):
        guard.wrap(model(), file, strict=True)


def test_a_driver_of_the_kernel_has_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(present, "_MODULES", str(tmp_path))
    assert present._driver("amdgpu") == f"amdgpu of kernel {os.uname().release}"


def test_sparse_tensors_are_left_to_torch() -> None:
    x = torch.rand(1, 3, 20, 20).to_sparse()
    weight = torch.rand(4, 3, 3, 3)
    with pytest.raises(RuntimeError) as expected:
        nn.functional.conv2d(x, weight)
    with pytest.raises(type(expected.value)):
        guard.conv2d(x, weight, envelope=Envelope(8))


def quantised() -> tuple[torch.Tensor, torch.Tensor]:
    """An input and a weight of eight bits."""
    x = torch.quantize_per_tensor(torch.rand(1, 3, 20, 20), 0.1, 0, torch.quint8)
    return x, torch.quantize_per_tensor(torch.rand(4, 3, 3, 3), 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_torchs_error_on_quantised_tensors_stays_what_it_is() -> None:
    x, weight = quantised()
    with pytest.raises(RuntimeError) as expected:
        nn.functional.conv2d(x, weight)
    with pytest.raises(type(expected.value), match=re.escape(str(expected.value)[:60])):
        guard.conv2d(x, weight, envelope=Envelope(8))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_layers_compute_what_they_do_without_the_guard() -> None:
    x, weight = quantised()
    # It has no types.
    conv2d: Any = quantised_layers.conv2d
    zeros = torch.zeros(4)
    expected = conv2d(x, weight, zeros, scale=0.1, zero_point=0)
    with guard.active(Envelope(8)):
        found = conv2d(x, weight, zeros, scale=0.1, zero_point=0)
    assert torch.equal(found.int_repr(), expected.int_repr())
