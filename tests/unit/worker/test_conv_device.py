"""Devices: errors are explained, and MIOpen is bypassed on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from rdna1.conv.case import ConvCase
from rdna1.conv.result import UnusableDeviceError
from rdna1.sim.rules import Rule
from rdna1.worker.device_error import DeviceError
from rdna1.worker.worker import _failure

torch = pytest.importorskip("torch", reason="devices are torch's")
device_module = pytest.importorskip("rdna1.worker.device", reason="it imports torch")
reference = pytest.importorskip("rdna1.conv.reference", reason="it imports torch")

LAYER = ConvCase(16, 32, 256, 256, 3, 3, padding=1)


@pytest.fixture(autouse=True)
def setting() -> Iterator[None]:
    """The process-wide setting as it was."""
    enabled = torch.backends.cudnn.enabled
    yield
    torch.backends.cudnn.enabled = enabled


def failure(error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> DeviceError:
    """What a device makes of an error of torch; a double stands for the convolution."""

    def convolve(*_: Any) -> Any:
        raise error

    device = device_module.TorchDevice("cpu")
    with monkeypatch.context() as patch:
        patch.setattr(device_module, "convolve", convolve)
        with pytest.raises(DeviceError) as caught:
            device.run(LAYER, reference.make_inputs(LAYER))
    return caught.value


def test_out_of_memory_says_what_the_case_needs_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    words = "HIP out of memory. Tried to allocate 36.00 MiB."
    error = failure(torch.cuda.OutOfMemoryError(words), monkeypatch)
    assert str(error) == (
        "out of memory: the case needs 12.0 MiB for its tensors, and explicit GEMM 36.0 MiB of "
        f"workspace. OutOfMemoryError: {words}"
    )
    assert error.usable
    assert emptied == [True]
    answer = _failure(error)
    assert (answer.text, answer.usable) == (str(error), True)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("CUDA error: unspecified launch failure", "the device was lost while it worked. "),
        ("HIP error: an illegal memory access was encountered", "the device was lost while it "),
        ("HIP error: device-side assert triggered", "the device was lost while it worked. "),
        ("HSA_STATUS_ERROR_EXCEPTION: An HSAIL operation", "the device was lost while it worked. "),
        ("HIP error: out of memory", "out of memory: the case needs 12.0 MiB for its tensors"),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "out of memory: the case needs 12.0 MiB"),
        ("miopenStatusUnknownError", "RuntimeError: miopenStatusUnknownError"),
    ],
)
def test_after_any_other_error_the_worker_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch, text: str, prefix: str
) -> None:
    error = failure(RuntimeError(text), monkeypatch)
    assert str(error).startswith(prefix)
    assert str(error).endswith(f"RuntimeError: {text}")
    answer = _failure(error)
    assert (answer.text, answer.usable) == (str(error), False)


@pytest.mark.parametrize(("value", "enabled"), [("1", False), ("0", True), (None, True)])
def test_miopen_is_bypassed_on_request(
    monkeypatch: pytest.MonkeyPatch, value: str | None, enabled: bool
) -> None:
    if value is None:
        monkeypatch.delenv("RDNA1_BYPASS_MIOPEN", raising=False)
    else:
        monkeypatch.setenv("RDNA1_BYPASS_MIOPEN", value)
    torch.backends.cudnn.enabled = not enabled
    device_module.TorchDevice("cpu")
    assert torch.backends.cudnn.enabled == enabled


def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDNA1_BYPASS_MIOPEN", "yes")
    with pytest.raises(UnusableDeviceError, match="RDNA1_BYPASS_MIOPEN=yes: use 1 to bypass"):
        device_module.TorchDevice("cpu")


def test_the_immediate_mode_is_used_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDNA1_MIOPEN_IMMEDIATE", "1")
    new = SimpleNamespace(immediate=False)
    monkeypatch.setattr(torch.backends, "miopen", new, raising=False)
    device_module.TorchDevice("cpu")
    assert new.immediate
    monkeypatch.setattr(torch.backends, "miopen", SimpleNamespace())
    with pytest.raises(UnusableDeviceError, match="has no immediate mode of MIOpen"):
        device_module.TorchDevice("cpu")


@pytest.mark.parametrize("direction", ["forward", "backward", "backward-data", "backward-weights"])
@pytest.mark.parametrize(
    "case",
    [
        ConvCase(8, 4, 1, 30, 1, 3, dims=1),
        ConvCase(8, 4, 20, 20, 3, 3, memory_format="channels_last", n=2),
        ConvCase(8, 4, 9, 9, 3, 3, dims=3, depth=9, kd=3, memory_format="channels_last"),
        ConvCase(8, 4, 9, 9, 2, 2, stride=2, transposed=True, memory_format="channels_last"),
    ],
)
def test_a_simulated_wrong_result_is_found_in_every_shape(case: ConvCase, direction: Any) -> None:
    case = msgspec.structs.replace(case, direction=direction)
    inputs = reference.make_inputs(case)
    expected = reference.expect(case, inputs)
    for rules, faults in (([], 0), ([Rule("True", "wrong")], 1)):
        device = device_module.SimulatedDevice(rules, Path("rules.yml"))
        results, seconds = device.run(case, inputs)
        found = [reference.compare(results[name], expected[name]).fault for name in expected]
        assert len([fault for fault in found if fault]) == faults
        assert seconds > 0
