"""A compiled model that leaves its last layer on the CPU is a twin only if that layer is the model's, bit for bit."""

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_models import classifier
from standin_twins import stopped_twin_of
from topped_models import Change, topped

from edge.edgetpu.ending import read_ending
from edge.edgetpu.model import read_model
from edge.edgetpu.twin import CompiledModel, check_twin, read_compiled
from edge.errors import ModelError
from edge.teaching.last_layer import read_last_layer
from edge.teaching.rewriting import NewLayer, with_last_layer
from trainer.edgetpu.compatibility import judge as judge_graph
from trainer.edgetpu.tflite_graph import read_graph

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

NAME = "mobilenet_v1_1.0_224_quant_embedding_extractor"
OTHER = "mobilenet_v1_0.25_128_quant"
Load = Callable[[str], bytes]


@pytest.fixture(scope="module")
def coral(shared: Path) -> Load:
    """The bytes of one of Coral's models."""
    return lambda name: (shared / "models" / f"{name}.tflite").read_bytes()


@pytest.fixture(scope="module")
def source(coral: Load) -> bytes:
    """Coral's model for features with a last layer behind it."""
    return topped(coral(NAME))


@pytest.fixture(scope="module")
def twin(coral: Load) -> bytes:
    """Its compiled model, whose package is the real one, with the same layer behind it."""
    return topped(coral(f"{NAME}_edgetpu"))


def test_a_real_package_with_a_last_layer_on_the_cpu_is_a_twin_that_can_be_taught(source: bytes, twin: bytes) -> None:
    found = check_twin(twin, source)
    assert found == read_compiled(twin)
    assert found.teachable
    assert (found.outputs[0].shape, found.outputs[0].size) == ((1, 1, 1024), 1024)


def test_a_model_that_runs_there_as_a_whole_or_stops_elsewhere_is_not_teachable(coral: Load) -> None:
    for name in (NAME, OTHER, "movenet_single_pose_lightning_ptq", "deeplabv3_mnv2_dm05_pascal_quant"):
        assert not read_compiled(coral(f"{name}_edgetpu")).teachable, name


def constant(which: int, place: int) -> Change:
    """Change a byte of the constant of a tensor, counted from the last."""

    def change(made: Any) -> None:
        buffer = made.buffers[made.subgraphs[0].tensors[which].buffer]
        buffer.data = buffer.data.copy()
        buffer.data[place] ^= 1

    return change


def quantization(which: int, **values: list[float]) -> Change:
    def change(made: Any) -> None:
        for key, value in values.items():
            setattr(made.subgraphs[0].tensors[which].quantization, key, value)

    return change


def option(which: int, key: str, value: float) -> Change:
    return lambda made: setattr(made.subgraphs[0].operators[which].builtinOptions, key, value)


def without_softmax(made: Any) -> None:
    graph = made.subgraphs[0]
    graph.operators.pop()
    graph.outputs = [len(graph.tensors) - 2]
    graph.tensors[-2].quantization = graph.tensors[-1].quantization


def reading_the_picture(made: Any) -> None:
    """The last layer adds what it reads to itself first: one operator more on the CPU."""
    graph, code, add = made.subgraphs[0], schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    made.operatorCodes.append(code)
    features, layer = int(graph.operators[-2].inputs[0]), graph.operators[-2]
    graph.tensors.append(graph.tensors[features])
    add.opcodeIndex, add.inputs, add.outputs = (
        len(made.operatorCodes) - 1,
        [features, features],
        [len(graph.tensors) - 1],
    )
    layer.inputs = [len(graph.tensors) - 1, *layer.inputs[1:]]
    graph.operators.insert(-2, add)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (constant(-4, 17), "its last layer, which it leaves on the CPU, has other weights than the model's"),
        (constant(-3, 4), "its last layer, .* has other weights"),
        (quantization(-4, scale=[0.0041]), "its last layer, .* has other shapes or quantization"),
        (quantization(-4, zeroPoint=[127]), "its last layer, .* has other shapes or quantization"),
        (quantization(-3, scale=[1e-4]), "its last layer, .* has other shapes or quantization"),
        (quantization(-2, scale=[0.2]), "its last layer, .* has other shapes or quantization"),
        (option(-2, "fusedActivationFunction", 1), "its last layer, .* has other options"),
        (option(-1, "beta", 2.0), "its end, which it leaves on the CPU, has other options"),
        (quantization(-1, scale=[1 / 128]), "output .* must be .* as in the model"),
        (without_softmax, "it leaves operators on the CPU that are not the model's last ones"),
    ],
)
def test_another_last_layer_is_refused_in_words(coral: Load, source: bytes, change: Change, reason: str) -> None:
    with pytest.raises(ModelError, match=f"{reason}.*: compiled from another model"):
        check_twin(topped(coral(f"{NAME}_edgetpu"), change=change), source)


def test_features_of_another_quantization_are_refused(coral: Load, twin: bytes) -> None:
    """In the model, in the operator for the Edge TPU, and in both: the package has them as they are."""

    def change(made: Any) -> None:
        features = int(made.subgraphs[0].operators[-2].inputs[0])
        quantization(features, scale=[0.025])(made)

    with pytest.raises(ModelError, match=r"its last layer, .* has other shapes or quantization"):
        check_twin(twin, topped(coral(NAME), change=change))
    changed = topped(coral(f"{NAME}_edgetpu"), change=change)
    with pytest.raises(ModelError, match=r"its package has the output .* put together from two models"):
        check_twin(changed, topped(coral(NAME), change=change))


def test_another_model_behind_the_same_last_layer_is_refused(coral: Load, twin: bytes) -> None:
    """All else is the same: the weights of one layer in the middle."""

    def change(made: Any) -> None:
        kernels = [
            one for one in made.subgraphs[0].tensors if len(one.shape) == 4 and one.shape[0] == one.shape[3] == 512
        ]
        buffer = made.buffers[kernels[0].buffer]
        buffer.data = buffer.data[::-1].copy()

    with pytest.raises(ModelError, match=r"groups of 4 weights of .* are not in its package"):
        check_twin(twin, topped(coral(NAME), change=change))


def test_the_twin_of_a_whole_model_is_not_that_of_a_topped_one(coral: Load, source: bytes, twin: bytes) -> None:
    with pytest.raises(ModelError, match="compiled from another model"):
        check_twin(coral(f"{NAME}_edgetpu"), source)
    with pytest.raises(ModelError, match="compiled from another model"):
        check_twin(twin, coral(NAME))
    with pytest.raises(ModelError, match="compiled from another model"):
        check_twin(twin, coral(OTHER))


def test_an_operator_more_on_the_cpu_is_a_partial_mapping_and_not_teachable(coral: Load) -> None:
    assert not read_compiled(topped(coral(f"{NAME}_edgetpu"), change=reading_the_picture)).teachable


def test_features_may_have_another_name(coral: Load, source: bytes) -> None:
    """As if the compiler had got a copy in which they could be named: package, operator and file agree."""
    whole = coral(f"{NAME}_edgetpu")
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(whole, 0))
    name = made.subgraphs[0].tensors[int(made.subgraphs[0].outputs[0])].name
    other = b"x" * len(name)
    assert whole.count(name) >= 3
    assert check_twin(topped(whole.replace(name, other)), source).teachable
    with pytest.raises(ModelError, match="is not in the model"):
        check_twin(whole.replace(name, other), coral(NAME))


def test_both_models_can_be_taught_the_same_layer(source: bytes, twin: bytes) -> None:
    layer = read_last_layer(source)
    weights, bias = np.concatenate([layer.weights, layer.weights[:1] * 1.5]), np.append(layer.bias, 0.25)
    new = NewLayer(weights, bias, np.arange(7) == 6, -20.0, 20.0)
    taught = [with_last_layer(model, read_last_layer(model), new) for model in (source, twin)]
    assert check_twin(taught[1], taught[0]).teachable
    assert [read_last_layer(one).classes for one in taught] == [7, 7]
    for compiled, model in ((taught[1], source), (twin, taught[0])):
        with pytest.raises(ModelError, match="compiled from another model"):
            check_twin(compiled, model)


@pytest.mark.parametrize("name", ["deeplabv3_mnv2_dm05_pascal_quant", "movenet_single_pose_lightning_ptq"])
def test_what_the_real_compiler_leaves_on_the_cpu_stays_as_it_is(coral: Load, name: str) -> None:
    """The comparison bit for bit rests on it: constants, quantization, versions; only options are written out."""
    left, ours = (
        _by_output(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(coral(f"{name}{end}"), 0)))
        for end in ("_edgetpu", "")
    )
    found = [made for made in left if made in ours]
    kinds = ("RESHAPE", "QUANTIZE", "CONV_2D")
    codes = {getattr(schema.BuiltinOperator, kind) for kind in kinds}
    compared = 0
    for made in found:
        (code, version, options, operands), theirs = left[made], ours[made]
        if code in codes:
            assert (code, version, operands) == (theirs[0], theirs[1], theirs[3])
            assert options == theirs[2] or theirs[2] == {}
            compared += 1
    assert compared == {"deeplabv3_mnv2_dm05_pascal_quant": 3, "movenet_single_pose_lightning_ptq": 18}[name]


def _by_output(made: Any) -> dict[bytes, tuple[Any, ...]]:
    graph = made.subgraphs[0]

    def operand(number: int) -> tuple[Any, ...]:
        tensor = graph.tensors[number]
        content, scales = made.buffers[tensor.buffer].data, tensor.quantization
        values = () if scales is None or scales.scale is None else (*scales.scale, *scales.zeroPoint)
        return tensor.name, tensor.type, tuple(tensor.shape), values, b"" if content is None else bytes(content)

    found = {}
    for one in graph.operators:
        code = made.operatorCodes[one.opcodeIndex]
        options = {} if one.builtinOptions is None else {k: str(v) for k, v in vars(one.builtinOptions).items()}
        operands = [operand(int(number)) for number in (*one.inputs, *one.outputs)]
        found[graph.tensors[int(one.outputs[0])].name] = code.builtinCode, code.version, options, operands
    return found


# Damaged and hostile files


def _left_on_cpu(data: bytes) -> int | None:
    try:
        return judge_graph(read_graph(data)).on_cpu
    except ModelError:
        return None


def judge(data: bytes, source: bytes, right: CompiledModel) -> str:
    """Return what becomes of a mutant of the twin. It must be refused in one line, or be a twin in truth."""
    try:
        found = check_twin(data, source)
    except ModelError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 1000
        return "refused"
    assert (found.on_chip_bytes, found.inputs[0].shape) == (right.on_chip_bytes, right.inputs[0].shape)
    if not found.teachable:  # mapped in part only, which the commands refuse
        assert _left_on_cpu(data) != 0
        return "in part"
    theirs, ours = read_ending(data), read_ending(source)
    assert theirs is not None
    assert ours is not None
    assert theirs.steps == ours.steps
    expected = read_last_layer(source)
    new = NewLayer(expected.weights * 1.5, expected.bias + 0.5, np.ones(expected.classes, bool), -20.0, 20.0)
    try:
        layer = read_last_layer(data)
        made = with_last_layer(data, layer, new)
        check_twin(made, with_last_layer(source, expected, new))
    except ModelError:
        return "a twin that cannot be taught"
    assert np.array_equal(layer.stored, expected.stored)
    assert np.array_equal(layer.stored_bias, expected.stored_bias)
    return "a twin"


@pytest.mark.parametrize("ending", [(), ("SOFTMAX",), ("RESHAPE", "SOFTMAX")], ids=" ".join)
def test_mutants_are_refused_or_right_and_never_crash(ending: tuple[str, ...]) -> None:
    """500 each, of the whole file: numbers of its tables overwritten, bits, and its end cut off."""
    source = classifier(ending=ending)
    model = read_model(source)
    features = read_ending(source)
    assert features is not None
    twin, left = stopped_twin_of(source, model.tensors[features.features].name)
    assert left == 1 + len(ending)
    right, chance, fates = check_twin(twin, source), random.Random(len(ending)), []
    assert right.teachable
    for _ in range(500):
        mutant = bytearray(twin)
        for _ in range(chance.choice((1, 1, 2, 4))):
            place = chance.randrange(len(mutant) - 4)
            number = chance.choice((0, 1, 2**31 - 1, 2**32 - 1, len(mutant), chance.randrange(2**32)))
            size = chance.choice((1, 1, 2, 4))
            mutant[place : place + size] = struct.pack("<I", number)[:size]
        if chance.random() < 0.1:
            del mutant[chance.randrange(len(mutant)) :]
        fates.append(judge(bytes(mutant), source, right))
    assert fates.count("refused") > 150
    assert "a twin" in fates, "many bytes are of names, and mean nothing"
