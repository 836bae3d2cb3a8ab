"""Which convolutions an exported program (``torch.export.save``) calls, without computing any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from .audit import AuditError, Call, Shape
from .convolution import convolve, convolve_transposed
from .envelope import Envelope
from .layer import Layer
from .plan import Plan
from .setting import Guard

_NAMES = tuple(f"conv{dims}d" for dims in (1, 2, 3))
_TRANSPOSED_NAMES = tuple(f"conv_transpose{dims}d" for dims in (1, 2, 3))
# What torch lowers all of them to.
_LOWERED = ("convolution", "_convolution")


class ExportedProgram:
    """A file of ``torch.export.save``; loading it reads its weights.

    Attributes:
        shapes: of the inputs that it was exported for.

    Raises:
        AuditError: it is not such a file.
    """

    def __init__(self, file: Path) -> None:
        """Load the file."""
        if not hasattr(torch, "export"):
            raise AuditError(f"{file}: torch {torch.__version__} has no torch.export: use 2.1 on")
        try:
            self._program: Any = torch.export.load(str(file))
        except Exception as error:
            raise AuditError(
                f"{file}: torch {torch.__version__} cannot load it: {type(error).__name__}: "
                f"{_first_line(error)}. Remedy: a file of torch.export.save of the same torch"
            ) from error
        signature = self._program.graph_signature
        self._tensors = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **getattr(signature, "inputs_to_lifted_tensor_constants", {}),
        }
        self._inputs = [
            node
            for node in self._program.graph.nodes
            if node.op == "placeholder" and node.name not in self._tensors
        ]
        values = (node.meta["val"] for node in self._inputs)
        self.shapes: list[Shape] = [_shape(each) for each in values if isinstance(each, Tensor)]

    def calls(self, shapes: Sequence[Shape]) -> list[Call]:
        """Return all convolutions and gradients of training for inputs of some shapes, in order.

        Raises:
            AuditError: the program is not for such inputs.
        """
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode(allow_non_fake_inputs=True), torch.enable_grad():
            interpreter = _Interpreter(self._program, self._tensors)
            arguments = self._arguments(list(shapes))
            try:
                interpreter.run(*arguments)
            except Exception as error:
                given = ", ".join("x".join(map(str, each)) for each in shapes)
                raise AuditError(
                    f"the program raised {type(error).__name__} for {given}: {_first_line(error)}. "
                    "Remedy: leave out --input, or export it with dynamic shapes"
                ) from error
        return interpreter.seen

    def _arguments(self, shapes: list[Shape]) -> list[Any]:
        """Return tensors without data for all placeholders; a parameter asks for its gradient."""
        if len(shapes) != len(self.shapes):
            raise AuditError(f"the program has {len(self.shapes)} inputs, not {len(shapes)}")
        given = iter(shapes)
        parameters = self._program.graph_signature.inputs_to_parameters
        arguments: list[Any] = []
        for node in self._program.graph.nodes:
            if node.op != "placeholder":
                continue
            value = node.meta["val"]
            if not isinstance(value, Tensor):
                arguments.append(value)
                continue
            is_own = node.name in self._tensors
            shape = tuple(map(int, value.shape)) if is_own else next(given)
            tensor = torch.empty(shape, dtype=value.dtype)
            arguments.append(tensor.requires_grad_(node.name in parameters))
        return arguments


class _Interpreter(fx.Interpreter):
    """Runs a graph, and keeps each convolution with the name of its weight's layer."""

    def __init__(self, program: Any, tensors: dict[str, str]) -> None:
        super().__init__(program.graph_module)
        self.seen: list[Call] = []
        self._tensors = tensors
        self._layer = ""

        def record(layer: Layer, _: Plan) -> None:
            self.seen.append(Call(self._layer, layer))

        self._guard = Guard(Envelope(), record=record, observe=True)

    def run_node(self, n: fx.Node) -> Any:
        """Run a node; of a convolution its weight is the second argument."""
        weight = n.args[1] if len(n.args) > 1 else None
        name = self._tensors.get(weight.name, "") if isinstance(weight, fx.Node) else ""
        self._layer = name.rpartition(".")[0]
        return super().run_node(n)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Call a function, a convolution through the guard, which observes."""
        name = getattr(getattr(target, "overloadpacket", None), "__name__", "")
        if name in _NAMES:
            return convolve(self._guard, _NAMES.index(name) + 1, *args, **kwargs)
        if name in _TRANSPOSED_NAMES:
            dims = _TRANSPOSED_NAMES.index(name) + 1
            return convolve_transposed(self._guard, dims, *args, **kwargs)
        if name in _LOWERED:
            return self._lowered(*args, **kwargs)
        return super().call_function(target, args, kwargs)

    def _lowered(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        transposed: bool,
        output_padding: list[int],
        groups: int,
        *_: object,
    ) -> Tensor:
        dims = weight.dim() - 2
        if not transposed:
            return convolve(self._guard, dims, x, weight, bias, stride, padding, dilation, groups)
        options = stride, padding, output_padding, groups, dilation
        return convolve_transposed(self._guard, dims, x, weight, bias, *options)


def _shape(tensor: Tensor) -> Shape:
    """Return the shape that an input had when the program was exported, or the least it may have.

    Of a dimension that may vary torch keeps the size that it saw.
    """
    return tuple(
        side if isinstance(side, int) else int(side.node.hint or 1) for side in tensor.shape
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]
