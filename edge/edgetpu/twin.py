"""Is a compiled model really the twin of a model for the CPU? Read from the files, without compiler and device.

Four things must agree, each of which holds exactly for the five published pairs at hand (MobileNet V1 twice, an LSTM,
DeepLab, MoveNet):

1. the inputs and outputs of both files;
2. the operator for the Edge TPU and the layers in its package: names, shapes, types, quantization;
3. these layers and the tensors of the same name in the model for the CPU;
4. the weights. The package holds each byte of them, counted unsigned. It lays them out for the chip, but keeps four
   values of a row of a 1x1 convolution or a fully connected layer together, as one word. So each such word must be
   among its words. A stranger has few of them: 0.001 to 9 % in all the wrong pairs of the files at hand, and never more
   than 45 % of one layer.

The weights alone tell two trainings of one network apart, even if only the last layer differs.

A compiled model may stop at its features, what its last layer reads, so that it can be taught on the device: the last
layer and what is behind it stay on the CPU then. The features take the place of the output in 2 and 3, whatever they
are called, and what stays on the CPU must be the model's own, bit for bit (edge.edgetpu.ending). It holds that the
compiler leaves such operators as they are for all 21 of their kinds that it left to the CPU in DeepLab and MoveNet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.edgetpu.ending import Ending, Step, read_ending
from edge.edgetpu.model import Model, Part, Tensor, Weights, read_model
from edge.edgetpu.package import Layer, Package, read_package
from edge.errors import ModelError

_WORD = 4
# By data_type of a layer: the type of the tensor, and how much higher the package counts its zero point.
_TYPES = {0: ("uint8", 0), 8: ("int8", 128), 9: ("int16", 32_768)}
# A variable tensor, such as the state of an LSTM, comes out under a name of its own, and is no output of the operator.
_STATE = "_variable_output"
_OTHER = "compiled from another model"


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """What the packages of a compiled model hold together. The fields are those of Package.

    inputs, outputs: of all of its parts.
    teachable: whether nothing but the last layer, and what is behind it, is left on the CPU.
    """

    min_runtime: int
    compiler: str
    on_chip_bytes: int
    streamed_bytes: int
    instruction_bytes: int
    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]
    teachable: bool = False


def read_compiled(model: bytes) -> CompiledModel:
    """Read a compiled model by itself. Raises ModelError if it is damaged, not compiled, or a placeholder."""
    twin = read_model(model)
    packages = _packages(twin)
    return _sum(packages, teachable=_teachable_ending(model, twin) is not None)


def check_twin(compiled: bytes, source: bytes) -> CompiledModel:
    """Read a compiled model, and compare it with `source`, the .tflite that was compiled.

    Raises ModelError with the reason if it is damaged, a placeholder, or compiled from another model."""
    twin, original = read_model(compiled), read_model(source)
    packages = _packages(twin)
    for side, theirs, ours in (
        ("input", twin.inputs, original.inputs),
        ("output", twin.outputs, original.outputs),
    ):
        _check_ends(side, theirs, ours)
    known: dict[str, list[Tensor]] = {}
    for tensor in original.tensors:
        known.setdefault(tensor.name, []).append(tensor)
    ending = _teachable_ending(compiled, twin)
    if ending is not None:
        features = _check_ending(ending, read_ending(source))
        known[twin.tensors[ending.features].name] = [original.tensors[features]]
    for part in twin.parts:
        _check_source(part, known)
    _check_weights(_moved(original.weights, twin.weights), packages)
    return _sum(packages, teachable=ending is not None)


def _teachable_ending(compiled: bytes, twin: Model) -> Ending | None:
    """Return what a compiled model leaves on the CPU, if that is its last layer, all of it, and nothing else."""
    ending = read_ending(compiled) if len(twin.parts) == 1 else None
    if ending is None or ending.before != 1 or twin.parts[0].outputs != (twin.tensors[ending.features],):
        return None
    return ending


def _check_ending(theirs: Ending, ours: Ending | None) -> int:
    """Return which tensor of the model its features are. Raises ModelError if what is left on the CPU is not its own.

    ours: how the model ends."""
    if ours is None or _codes(ours) != _codes(theirs):
        raise ModelError(f"it leaves operators on the CPU that are not the model's last ones: {_OTHER}")
    for number, (expected, found) in enumerate(zip(ours.steps, theirs.steps, strict=True)):
        if found != expected:
            what = "last layer, which it leaves on the CPU," if not number else "end, which it leaves on the CPU,"
            raise ModelError(f"its {what} has other {_difference(found, expected)} than the model's: {_OTHER}")
    return ours.features


def _codes(ending: Ending) -> list[int]:
    return [step.code for step in ending.steps]


def _difference(found: Step, expected: Step) -> str:
    if (found.version, found.options) != (expected.version, expected.options):
        return "options"
    theirs, ours = (_constants(step) for step in (found, expected))
    return "weights" if theirs != ours else "shapes or quantization"


def _constants(step: Step) -> list[bytes]:
    return [b"" if one is None else one.constant for one in step.inputs]


def _sum(packages: Sequence[Package], *, teachable: bool) -> CompiledModel:
    return CompiledModel(
        min_runtime=max(package.min_runtime for package in packages),
        compiler=packages[0].compiler,
        on_chip_bytes=sum(package.on_chip_bytes for package in packages),
        streamed_bytes=sum(package.streamed_bytes for package in packages),
        instruction_bytes=sum(package.instruction_bytes for package in packages),
        inputs=tuple(layer for package in packages for layer in package.inputs),
        outputs=tuple(layer for package in packages for layer in package.outputs),
        teachable=teachable,
    )


def _packages(twin: Model) -> list[Package]:
    """Return the packages of all parts, after comparing each with its operator."""
    if not twin.parts:
        raise ModelError("it holds no operator for the Edge TPU (edgetpu-custom-op): nothing was mapped")
    found = []
    for part in twin.parts:
        package = read_package(part.options)
        _check_layers("input", package.inputs, part.inputs)
        _check_layers("output", package.outputs, (*part.outputs, *_states(part, package)))
        found.append(package)
    return found


def _states(part: Part, package: Package) -> list[Tensor]:
    """Return the state that the package puts out, as tensors with the names of its layers."""
    names = {layer.name for layer in package.outputs}
    return [replace(one, name=one.name + _STATE) for one in part.inputs if one.name + _STATE in names]


def _check_layers(side: str, layers: tuple[Layer, ...], tensors: tuple[Tensor, ...]) -> None:
    if sorted(layer.name for layer in layers) != sorted(tensor.name for tensor in tensors):
        raise ModelError(
            f"its package has the {side}s {_names(layers)}, its operator {_names(tensors)}: put together from two "
            "models, or damaged"
        )
    by_name = {tensor.name: tensor for tensor in tensors}
    for layer in layers:
        if (theirs := _layer_face(layer)) != (ours := _tensor_face(by_name[layer.name])):
            raise ModelError(
                f"its package has the {side} {layer.name[:60]!r} as {theirs}, its operator as {ours}: put together "
                "from two models, or damaged"
            )


def _names(named: Sequence[Layer] | Sequence[Tensor]) -> str:
    shown = ", ".join(repr(one.name[:60]) for one in named[:3])
    return f"{shown} and {len(named) - 3} more" if len(named) > 3 else shown or "none"


def _layer_face(layer: Layer) -> str:
    dtype, higher = _TYPES.get(layer.data_type, (f"type {layer.data_type}", 0))
    return _face(layer.shape, dtype, layer.scale, layer.zero_point - higher)


def _tensor_face(tensor: Tensor) -> str:
    """Describe a tensor as a layer has it: with three dimensions, one picture at a time."""
    shape = tensor.shape
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    return _face((*(1,) * (3 - len(shape)), *shape), tensor.dtype, tensor.scale, tensor.zero_point)


def _face(shape: tuple[int, ...], dtype: str, scale: float, zero_point: int) -> str:
    # All digits of a float32: scales that differ in the last bit are of two models.
    return f"{'x'.join(map(str, shape))} {dtype} scale {scale:.9g} zero point {zero_point}"


def _check_ends(side: str, theirs: tuple[Tensor, ...], ours: tuple[Tensor, ...]) -> None:
    if len(theirs) != len(ours):
        raise ModelError(f"it has {len(theirs)} {side}s, the model {len(ours)}: {_OTHER}")
    for tensor, expected in zip(theirs, ours, strict=True):
        if _tensor_face(tensor) != _tensor_face(expected) or tensor.shape != expected.shape:
            raise ModelError(f"{side} {tensor.face}, must be {expected.face} as in the model: {_OTHER}")


def _check_source(part: Part, known: dict[str, list[Tensor]]) -> None:
    """Raise ModelError if the tensors of an operator for the Edge TPU are not in the model."""
    for tensor in (*part.inputs, *part.outputs):
        named = known.get(tensor.name, [])
        if not named:
            raise ModelError(f"its tensor {tensor.name[:60]!r} is not in the model: {_OTHER}")
        # Most models give a name once, but none has to.
        if not any(tensor.shape == one.shape and _tensor_face(tensor) == _tensor_face(one) for one in named):
            raise ModelError(
                f"its tensor {tensor.name[:60]!r} is {tensor.face}, must be {named[0].face} as in the model: {_OTHER}"
            )


def _moved(original: Sequence[Weights], left: Sequence[Weights]) -> list[Weights]:
    """Return the weights that must be in the package: all but those of operators that stayed on the CPU."""
    staying = {weights.values.tobytes() for weights in left}
    return [weights for weights in original if weights.values.tobytes() not in staying]


def _check_weights(moved: Sequence[Weights], packages: Sequence[Package]) -> None:
    blobs = [blob for package in packages for blob in package.parameters]
    words = np.unique(np.concatenate([_words(np.frombuffer(blob, np.uint8)) for blob in blobs]))
    for weights in moved:
        if weights.pointwise and weights.values.shape[1] >= _WORD:
            wanted = _words(weights.values)
            if lacking := _count_lacking(wanted, words):
                # Not a share: of a package that is damaged in one place it would be 0.0 %.
                raise ModelError(
                    f"{lacking:,} of {wanted.size:,} groups of {_WORD} weights of {weights.name[:60]!r} are not in its "
                    f"package: {_OTHER}, or damaged"
                )
    counts = sum((np.bincount(np.frombuffer(blob, np.uint8), minlength=256) for blob in blobs), np.zeros(256, np.int64))
    needed = sum((np.bincount(one.values.ravel(), minlength=256) for one in moved), np.zeros(256, np.int64))
    if lacking := int(np.maximum(needed - counts, 0).sum()):
        raise ModelError(
            f"{lacking} of {int(needed.sum())} bytes of weights are not in its package: {_OTHER}, or damaged"
        )


def _count_lacking(wanted: NDArray[np.uint32], words: NDArray[np.uint32]) -> int:
    """Return how many of the first are not among the second, which are sorted."""
    # numpy.isin sorts again for each of the 50 layers: 10 s for MoveNet instead of 0.3.
    if not words.size:
        return wanted.size
    places = np.minimum(np.searchsorted(words, wanted), words.size - 1)
    return int(np.count_nonzero(words[places] != wanted))


def _words(values: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return each four neighbours in a row as one number. Rows are cut at a multiple of four."""
    whole = np.ascontiguousarray(values[..., : values.shape[-1] // _WORD * _WORD])
    return whole.view("<u4").astype(np.uint32).ravel()
