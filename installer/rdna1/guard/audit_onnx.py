"""Which convolutions an ONNX file holds; the package onnx reads it, weights apart from it are not.

Imported for an ONNX file alone: all else of the guard needs torch alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .audit import AuditError, Call, Shape
from .call import directions_of
from .layer import FORWARD, INPUT_GRADIENT, Layer

# onnx.TensorProto.DataType: name and bytes.
_TYPES = {1: ("float32", 4), 10: ("float16", 2), 11: ("float64", 8), 16: ("bfloat16", 2)}


class OnnxModel:
    """A file of ``torch.onnx.export`` and the like.

    Attributes:
        shapes: of the inputs; a dimension that may vary is 0.

    Raises:
        AuditError: it is not such a file, or the package onnx is missing.
    """

    def __init__(self, file: Path) -> None:
        """Read the graph, without the weights that lie in files of their own."""
        try:
            import onnx
        except ImportError as error:
            raise AuditError(f"{file} needs the package onnx. Remedy: pip install onnx") from error
        self._file = file
        try:
            self._model: Any = onnx.load(str(file), load_external_data=False)
        except Exception as error:
            raise AuditError(f"{file} is not an ONNX file: {error}") from error
        if not self._model.graph.node:
            raise AuditError(f"{file} is not an ONNX file: it holds no operator")
        own = {each.name for each in self._model.graph.initializer}
        self._inputs = [each for each in self._model.graph.input if each.name not in own]
        self.shapes: list[Shape] = [
            tuple(side.dim_value for side in each.type.tensor_type.shape.dim)
            for each in self._inputs
        ]

    def calls(self, shapes: Sequence[Shape]) -> list[Call]:
        """Return all convolutions and gradients of training for inputs of some shapes, in order.

        Raises:
            AuditError: the model is not for such inputs, or a shape is not known.
        """
        if len(shapes) != len(self.shapes):
            raise AuditError(f"{self._file} has {len(self.shapes)} inputs, not {len(shapes)}")
        for given, fixed in zip(shapes, self.shapes, strict=True):
            if len(given) != len(fixed) or any(
                fix and fix != side for side, fix in zip(given, fixed, strict=True)
            ):
                wanted = "x".join(str(fix or "N") for fix in fixed)
                raise AuditError(f"{self._file} is for inputs of {wanted}. Remedy: --input")
            if 0 in given:
                wanted = "x".join(str(side or "N") for side in given)
                raise AuditError(
                    f"{self._file} leaves the size of its input open ({wanted}). Remedy: --input"
                )
        graph = self._inferred(shapes)
        return list(_calls(graph, self._file))

    def _inferred(self, shapes: Sequence[Shape]) -> Any:
        """Return the graph with the shapes of all values."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        names = [each.name for each in self._inputs]
        for each in model.graph.input:
            if each.name in names:
                sides = shapes[names.index(each.name)]
                for side, dim in zip(sides, each.type.tensor_type.shape.dim, strict=True):
                    dim.dim_value = side
        # What was inferred for other inputs does not hold for these.
        del model.graph.value_info[:]
        for each in model.graph.output:
            each.type.tensor_type.ClearField("shape")
        try:
            return onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except Exception as error:
            raise AuditError(f"{self._file} does not fit such inputs: {error}") from error


class _Value(NamedTuple):
    shape: Shape
    type: int


def _calls(graph: Any, file: Path) -> Iterator[Call]:
    weights = {each.name: _Value(tuple(each.dims), each.data_type) for each in graph.initializer}
    values = {
        each.name: _Value(
            tuple(side.dim_value for side in each.type.tensor_type.shape.dim),
            each.type.tensor_type.elem_type,
        )
        for each in (*graph.input, *graph.value_info, *graph.output)
    }
    values.update(weights)
    # What depends on a weight: its gradient is what training asks for.
    trained = {name for name, value in weights.items() if value.type in _TYPES}
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            x, weight = (values.get(name) for name in node.input[:2])
            if not x or not weight or 0 in x.shape or x.type not in _TYPES:
                raise AuditError(
                    f"{file}: the shape of {node.input[0]} cannot be inferred. Remedy: the model "
                    "without operators of a domain of its own"
                )
            layer = _layer(node, x, weight)
            by_input, by_weight = (name in trained for name in node.input[:2])
            name = node.input[1].rpartition(".")[0] or node.name
            layers = directions_of(layer, by_input=by_input, by_weight=by_weight)
            yield from (Call(name, each) for each in layers)
        if trained.intersection(node.input):
            trained.update(node.output)


def _layer(node: Any, x: _Value, weight: _Value) -> Layer:
    """Return a node's convolution; a transposed one as the plain one whose gradient it is."""
    found = {each.name: each for each in node.attribute}
    kernel = weight.shape[2:]
    dims = len(kernel)

    def numbers(name: str, usual: int, count: int = dims) -> tuple[int, ...]:
        return tuple(found[name].ints) if name in found else (usual,) * count

    strides, dilations = numbers("strides", 1), numbers("dilations", 1)
    groups = found["group"].i if "group" in found else 1
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    is_transposed = node.op_type == "ConvTranspose"
    size = x.shape[2:]
    auto = found["auto_pad"].s.decode() if "auto_pad" in found else "NOTSET"
    pads = numbers("pads", 0, 2 * dims)
    if auto.startswith("SAME") and not is_transposed:
        total = [
            max(0, (-(-side // step) - 1) * step + far - side)
            for side, step, far in zip(size, strides, reach, strict=True)
        ]
        pads = (*(each // 2 for each in total), *(each - each // 2 for each in total))
    both = list(zip(pads[:dims], pads[dims:], strict=True))
    if is_transposed:
        extra = numbers("output_padding", 0)
        size = tuple(
            (side - 1) * step + far + more - sum(pad)
            for side, step, far, more, pad in zip(size, strides, reach, extra, both, strict=True)
        )
    # Zeros that are on one side alone are part of the map.
    size = tuple(side + max(pad) - min(pad) for side, pad in zip(size, both, strict=True))
    c_in, c_out = weight.shape[1] * groups, weight.shape[0]
    name, itemsize = _TYPES[x.type]
    return Layer(
        INPUT_GRADIENT if is_transposed else FORWARD,
        x.shape[0],
        c_in,
        c_out,
        size,
        kernel,
        strides,
        tuple(map(min, both)),
        dilations,
        groups,
        name,
        itemsize,
        False,
        is_transposed,
    )
