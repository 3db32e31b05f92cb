"""A compiled model is accepted as a model's twin only if files, package, layers and weights all agree."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from handmade_packages import Recipe, options

from edge.edgetpu.model import read_model
from edge.edgetpu.package import Layer
from edge.edgetpu.twin import check_twin, read_compiled
from edge.errors import ModelError

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

IMAGE = Layer("image", (1, 1, 8), 8, 8, 0.5, 125)
ANSWERS = Layer("answers", (1, 1, 4), 4, 8, 0.25, 128)
WEIGHTS = np.arange(-16, 16, dtype=np.int8).reshape(4, 8)
# What the compiler makes of them: counted unsigned, words of four in an order of its own, and something between.
PARAMETERS = (WEIGHTS.view(np.uint8) ^ 0x80).reshape(8, 4)[::-1].tobytes() + b"bias"


@dataclass(frozen=True)
class Part:
    """A .tflite of one operator: fully connected with `weights`, or for the Edge TPU with `made`."""

    names: tuple[str, str] = ("image", "answers")
    shapes: tuple[Sequence[int], Sequence[int]] = ((1, 8), (1, 4))
    scales: tuple[float, float] = (0.5, 0.25)
    zero_points: tuple[int, int] = (-3, 0)
    weights: np.ndarray | None = None
    made: bytes | None = None
    unused: np.ndarray | None = None

    def bytes(self) -> bytes:
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.subgraphs, model.buffers, graph.tensors = 3, [graph], [schema.BufferT()], []
        for name, shape, scale, zero_point in zip(self.names, self.shapes, self.scales, self.zero_points, strict=True):
            tensor, quantization = schema.TensorT(), schema.QuantizationParametersT()
            quantization.scale, quantization.zeroPoint = [scale], [zero_point]
            tensor.name, tensor.type, tensor.shape, tensor.buffer = name, schema.TensorType.INT8, list(shape), 0
            tensor.quantization = quantization
            graph.tensors.append(tensor)
        operator, code = schema.OperatorT(), schema.OperatorCodeT()
        operator.inputs, operator.outputs = [0], [1]
        for content in (self.weights, self.unused):
            if content is not None:
                buffer, tensor = schema.BufferT(), schema.TensorT()
                buffer.data = list(content.tobytes())
                model.buffers.append(buffer)
                tensor.name, tensor.type, tensor.buffer = "weights", schema.TensorType.INT8, len(model.buffers) - 1
                tensor.shape = list(content.shape)
                graph.tensors.append(tensor)
        name = "FULLY_CONNECTED" if self.made is None else "CUSTOM"
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        if self.made is None:
            operator.inputs = [0, 2]
        else:
            code.customCode, operator.customOptions = "edgetpu-custom-op", list(self.made)
        operator.opcodeIndex, model.operatorCodes, graph.operators = 0, [code], [operator]
        graph.inputs, graph.outputs = [0], [1]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


RECIPE = Recipe(inputs=[IMAGE], outputs=[ANSWERS], cached=PARAMETERS)
SOURCE = Part(weights=WEIGHTS)
TWIN = Part(made=options(RECIPE))


def test_a_twin_is_accepted_and_its_memory_read() -> None:
    found = check_twin(TWIN.bytes(), SOURCE.bytes())
    assert (found.on_chip_bytes, found.streamed_bytes, found.inputs, found.outputs) == (36, 0, (IMAGE,), (ANSWERS,))


def test_weights_that_are_streamed_are_found_too() -> None:
    streamed = replace(RECIPE, streamed=PARAMETERS[:16], cached=PARAMETERS[16:])
    assert check_twin(Part(made=options(streamed)).bytes(), SOURCE.bytes()).streamed_bytes == 16


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        (SOURCE, "no operator for the Edge TPU"),
        (Part(made=b""), "is empty: a placeholder"),
        (Part(made=b"\xef\xbe\xad\xde" * 4), "a placeholder"),
        (replace(TWIN, scales=(0.5, 0.125)), "package has the output 'answers' .* put together from two models"),
        (replace(TWIN, names=("image", "other")), "package has the outputs 'answers', its operator 'other'"),
        (Part(made=options(replace(RECIPE, inputs=[replace(IMAGE, shape=(1, 2, 4))]))), "as 1x2x4 int8"),
        (Part(made=options(replace(RECIPE, inputs=[replace(IMAGE, zero_point=-3)]))), "zero point -131"),
        (Part(made=options(replace(RECIPE, inputs=[replace(IMAGE, data_type=0)]))), "as 1x1x8 uint8"),
        (Part(made=options(replace(RECIPE, inputs=[IMAGE, ANSWERS]))), "has the inputs 'image', 'answers', its oper"),
        (
            Part(made=options(replace(RECIPE, cached=b""))),
            "8 of 8 groups of 4 weights of 'weights' are not in its package",
        ),
        (Part(made=options(replace(RECIPE, cached=PARAMETERS[4:]))), r"1 of 8 groups of 4 weights of 'weights'"),
    ],
)
def test_what_is_no_twin_is_refused_with_the_reason(twin: Part, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        check_twin(twin.bytes(), SOURCE.bytes())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (replace(SOURCE, scales=(0.5, 0.125)), "must be 1x4 int8 scale 0.125 .* compiled from another model"),
        (replace(SOURCE, shapes=((1, 8), (1, 5))), "must be 1x5 int8"),
        (replace(SOURCE, zero_points=(-4, 0)), "zero point -3, must be .* zero point -4"),
        (replace(SOURCE, names=("image", "scores")), "tensor 'answers' is not in the model"),
        (replace(SOURCE, scales=(0.50000006, 0.25)), "compiled from another model"),
        (replace(SOURCE, weights=np.roll(WEIGHTS, 1)), "groups of 4 weights of 'weights' are not in its package"),
        (replace(SOURCE, weights=WEIGHTS ^ np.int8(1)), "groups of 4 weights of 'weights' are not in its package"),
    ],
)
def test_the_twin_of_another_model_is_refused(source: Part, reason: str) -> None:
    """The same network with another last layer differs in nothing but its weights."""
    with pytest.raises(ModelError, match=reason):
        check_twin(TWIN.bytes(), source.bytes())


def test_constants_that_no_operator_uses_do_not_replace_a_package() -> None:
    """A placeholder may keep all the constants of the model."""
    empty = Part(made=options(replace(RECIPE, cached=b"")), unused=WEIGHTS)
    with pytest.raises(ModelError, match="are not in its package"):
        check_twin(empty.bytes(), SOURCE.bytes())


PAIRS = (
    "mobilenet_v1_0.25_128_quant",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "movenet_single_pose_lightning_ptq",
    "keras_lstm_mnist_ptq",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
)
Load = Callable[[str], bytes]


@pytest.fixture
def coral(shared: Path) -> Load:
    """The bytes of one of Coral's models."""
    return lambda name: (shared / "models" / f"{name}.tflite").read_bytes()


@pytest.mark.parametrize("name", PAIRS)
def test_every_published_pair_is_a_pair(coral: Load, name: str) -> None:
    assert check_twin(coral(f"{name}_edgetpu"), coral(name)).min_runtime == 12


@pytest.mark.parametrize("name", [*PAIRS, "mobilenet_v1_0.5_160_quant"])
def test_no_published_twin_is_another_models(coral: Load, name: str) -> None:
    for other in PAIRS:
        if other != name:
            with pytest.raises(ModelError, match="compiled from another model"):
                check_twin(coral(f"{name}_edgetpu"), coral(other))


def test_the_weights_alone_tell_two_trainings_of_one_network_apart(coral: Load) -> None:
    """The classes of the last layer in another order: everything else is the same."""
    name = "mobilenet_v1_0.25_128_quant"
    source = bytearray(coral(name))
    last = max((weights for weights in read_model(bytes(source)).weights), key=lambda found: found.values.size)
    start, rows = bytes(source).index(last.values.tobytes()), last.values.shape[0]
    noise = np.random.default_rng(0).integers(110, 140, (20, last.values.size // rows), dtype=np.uint8)
    source[start : start + noise.size] = noise.tobytes()
    with pytest.raises(
        ModelError, match=r"groups of 4 weights of .* are not in its package: compiled from another model"
    ):
        check_twin(coral(f"{name}_edgetpu"), bytes(source))


def test_changed_bytes_of_a_real_twin_are_refused_or_read_right(coral: Load) -> None:
    """A few of the mutants that tools/mutate_packages.py makes by the thousand."""
    name, other = "keras_lstm_mnist_ptq", coral("mobilenet_v1_0.25_128_quant")
    whole, source = coral(f"{name}_edgetpu"), coral(name)
    right, chance = check_twin(whole, source), random.Random(1)
    for _ in range(150):
        mutant = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
        with pytest.raises(ModelError):
            check_twin(bytes(mutant), other)
        try:
            found = check_twin(bytes(mutant), source)
        except ModelError:
            continue
        assert (found.inputs[0].shape, found.on_chip_bytes) == (right.inputs[0].shape, right.on_chip_bytes)


@pytest.mark.parametrize("size", [0, 3, 7, 8, 40, 300, 1000, 60_000, -30_000])
def test_a_file_that_was_cut_short_is_refused(coral: Load, size: int) -> None:
    with pytest.raises(ModelError):
        read_compiled(coral("mobilenet_v1_0.25_128_quant_edgetpu")[:size])


def test_many_tensors_with_one_long_name_are_refused() -> None:
    """50,000 names of 4 KB in a file of 3 MB would take 200 MB."""
    b = flatbuffers.Builder(1 << 20)
    name = b.CreateString("n" * 4000)

    def table(*fields: tuple[int, int]) -> int:
        b.StartObject(6)
        for slot, place in fields:
            b.PrependUOffsetTRelativeSlot(slot, place, 0)
        return int(b.EndObject())

    def vector(places: list[int]) -> int:
        b.StartVector(4, len(places), 4)
        for place in reversed(places):
            b.PrependUOffsetTRelative(place)
        return int(b.EndVector())

    graph = table((0, vector([table((3, name)) for _ in range(2000)])))
    b.Finish(table((2, vector([graph]))), b"TFL3")
    with pytest.raises(ModelError, match="names that are together larger than the file"):
        read_model(bytes(b.Output()))


def test_many_operators_with_one_large_constant_cost_nothing() -> None:
    """10,000 operators would copy it 10,000 times."""
    model = schema.ModelT.InitFromObj(
        schema.Model.GetRootAsModel(Part(weights=np.zeros((1000, 1000), np.int8)).bytes())
    )
    graph = model.subgraphs[0]
    graph.operators = graph.operators * 10_000
    builder = flatbuffers.Builder(1 << 21)
    builder.Finish(model.Pack(builder), b"TFL3")
    started = time.monotonic()
    assert len(read_model(bytes(builder.Output())).weights) == 1
    assert time.monotonic() - started < 5
