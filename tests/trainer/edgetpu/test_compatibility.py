"""The prediction of what the Edge TPU compiler maps: checked on the pairs that Coral publishes, then rule by rule on
graphs made by hand."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from handmade_graphs import activation, graph_of, network, numbers, tflite, weights

from trainer.edgetpu.compatibility import judge, parts
from trainer.edgetpu.operators import (
    LIMITATION,
    MAPPED,
    NOT_SUPPORTED,
    ONE_SUBGRAPH,
    READABLE,
    RECORDED_REFUSED,
    REPORTED_REFUSED,
    REPORTED_UNREADABLE,
    SEEN,
    SUPPORTED,
    WRONG_RANK,
    WRONG_TYPE,
    WRONG_VERSION,
)
from trainer.edgetpu.tflite_graph import Graph, Operator, read_graph

Load = Callable[[str], Graph]

MIB = 1024**2
REFUSED = {*REPORTED_REFUSED, *REPORTED_UNREADABLE, *RECORDED_REFUSED}


@pytest.fixture(scope="module")
def load(shared: Path) -> Load:
    """The graph of one of Coral's models."""
    return lambda name: read_graph((shared / "models" / f"{name}.tflite").read_bytes())


def status_of(graph: Graph) -> str:
    """Return the status of the only operator of `graph`."""
    return judge(graph).rows[0].status


# The real models

PAIRS = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
    "keras_lstm_mnist_ptq",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "movenet_single_pose_lightning_ptq",
]


@pytest.mark.parametrize("name", PAIRS)
def test_the_prediction_agrees_with_the_compiled_twin_operator_by_operator(load: Load, name: str) -> None:
    """By name and by the tensor that it makes, which the compiler keeps."""
    source, twin = load(name), load(f"{name}_edgetpu")
    supported = [judge_one(source, number) for number in range(len(source.operators))]
    mapped = next(set(part) for kind, part in parts(source, supported) if kind)
    predicted = [made(source, operator) for n, operator in enumerate(source.operators) if n not in mapped]
    left = [made(twin, operator) for operator in twin.operators if not operator.on_edgetpu]
    assert Counter(predicted) == Counter(left)


def judge_one(graph: Graph, number: int) -> bool:
    from trainer.edgetpu.operator_limits import why_not

    return why_not(graph.operators[number], graph) is None


def made(graph: Graph, operator: Operator) -> tuple[str, tuple[str, ...]]:
    return operator.name, tuple(graph.tensors[number].name for number in operator.outputs)


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("mobilenet_v1_0.25_128_quant", 31),
        ("mobilenet_v1_1.0_224_quant_embedding_extractor", 28),
        ("keras_lstm_mnist_ptq", 6),
        ("mobilenet_v2_1.0_224_inat_bird_quant", 65),
        ("mobilenet_v2_1.0_224_quant", 66),
        ("tf2_mobilenet_v2_1.0_224_ptq", 68),
    ],
)
def test_models_that_coral_ships_compiled_whole_are_judged_whole(load: Load, name: str, operators: int) -> None:
    verdict = judge(load(name))
    assert (verdict.outcome, verdict.on_tpu, verdict.on_cpu) == ("whole", operators, 0)
    assert verdict.not_seen == ()
    assert verdict.changes == ()
    assert verdict.parameters.fits == "yes"


def test_deeplab_is_split_by_the_resize_of_its_pooled_branch(load: Load) -> None:
    verdict = judge(load("deeplabv3_mnv2_dm05_pascal_quant"))
    assert (verdict.outcome, verdict.on_tpu, verdict.on_cpu) == ("partial", 64, 8)
    assert verdict.splits_at == "operator 64, RESIZE_BILINEAR (ResizeBilinear)"
    assert verdict.names(on_tpu=False) == "RESIZE_BILINEAR x3, QUANTIZE, CONCATENATION, CONV_2D x2, ARG_MAX"


def test_movenet_begins_with_operators_for_the_cpu_and_is_mapped_after_them(load: Load) -> None:
    verdict = judge(load("movenet_single_pose_lightning_ptq"))
    assert (verdict.outcome, verdict.on_tpu, verdict.on_cpu) == ("partial", 98, 59)
    assert verdict.rows[0].operator == "CAST"
    assert verdict.splits_at.startswith("operator 89, ARG_MAX")
    assert verdict.names(on_tpu=False) == (
        "CAST x5, QUANTIZE x7, ARG_MAX x2, FLOOR_DIV x2, RESHAPE x11, MUL x5, SUB x4, PACK x3, DEQUANTIZE x4, "
        "GATHER_ND x4, UNPACK x2, ADD x6, SQRT, DIV, CONCATENATION x2"
    )


@pytest.mark.parametrize(
    "name", [name for name in PAIRS if name[:4] in ("mobi", "kera")] + ["mobilenet_v1_0.5_160_quant"]
)
def test_a_whole_compiled_model_has_nothing_left_on_the_cpu(load: Load, name: str) -> None:
    verdict = judge(load(f"{name}_edgetpu"))
    assert (verdict.compiled, verdict.outcome, verdict.on_tpu, verdict.on_cpu) == (True, "whole", None, 0)
    assert verdict.edgetpu_parts == 1


def test_a_partly_compiled_model_tells_what_is_left(load: Load) -> None:
    verdict = judge(load("deeplabv3_mnv2_dm05_pascal_quant_edgetpu"))
    assert (verdict.compiled, verdict.outcome, verdict.on_cpu) == (True, "partial", 8)
    assert verdict.names(on_tpu=False) == "RESIZE_BILINEAR x3, QUANTIZE, CONCATENATION, CONV_2D x2, ARG_MAX"


def test_a_model_that_is_not_quantized_is_refused(load: Load) -> None:
    verdict = judge(load("model_invoking_error"))
    assert (verdict.outcome, verdict.refusal, verdict.parameters) == ("refused", "Model not quantized", None)


# How a graph is divided


def test_what_depends_on_an_operator_for_the_cpu_stays_there_and_a_branch_that_does_not_is_mapped() -> None:
    graph = network(("CONV_2D", 3, (0,), 1), ("ELU", 1, (1,), 2), ("ADD", 2, (1, 2), 3), ("RELU", 1, (1,), 4))
    verdict = judge(graph)
    assert [(row.operator, row.status) for row in verdict.rows] == [
        ("CONV_2D", MAPPED),
        ("ELU", NOT_SUPPORTED),
        ("ADD", ONE_SUBGRAPH),
        ("RELU", MAPPED),
    ]


def test_the_first_part_is_mapped_and_a_larger_later_one_is_told_as_not_certain() -> None:
    chain = [("RELU", 1, (0,), 1), ("ELU", 1, (1,), 2), ("RELU", 1, (2,), 3), ("RELU", 1, (3,), 4)]
    verdict = judge(network(*chain))
    assert (verdict.on_tpu, verdict.on_cpu) == (1, 3)
    assert any("issue 461" in text for text in verdict.not_seen)


def test_a_detection_model_leaves_its_custom_operator_on_the_cpu() -> None:
    """As SSD and EfficientDet: the compiler calls it an unsupported data type."""
    base = network(("CONV_2D", 1, (0,), 1), ("LOGISTIC", 1, (1,), 2))
    boxes = activation(1, 10, 4, dtype="FLOAT32", scales=0)
    last = Operator(name="CUSTOM", custom="TFLite_Detection_PostProcess", version=1, inputs=(2,), outputs=(3,))
    graph = Graph(operators=(*base.operators, last), tensors=(*base.tensors, boxes), inputs=(0,), outputs=(3,))
    verdict = judge(graph)
    assert (verdict.outcome, verdict.on_tpu) == ("partial", 2)
    assert verdict.rows[-1].status == WRONG_TYPE
    assert verdict.names(on_tpu=False) == "CUSTOM TFLite_Detection_PostProcess"


def test_operators_that_wait_for_each_other_are_left_on_the_cpu() -> None:
    verdict = judge(network(("RELU", 1, (0,), 1), ("ADD", 2, (1, 3), 2), ("ADD", 2, (2, 2), 3)))
    assert (verdict.on_tpu, verdict.on_cpu) == (1, 2)


# Why a whole model is refused


def test_a_free_batch_is_refused() -> None:
    """A batch that is only marked as free is 1 in the file: Coral's rule refuses it, but no such case was seen."""
    verdict = judge(network(("RELU", 1, (0,), 1), flow=activation(1, 8, 8, 4, signature=(-1, 8, 8, 4))))
    assert verdict.outcome == "refused"
    assert "dynamic-sized tensors" in verdict.refusal
    assert "batch_shape=(1," in verdict.changes[0]
    assert verdict.not_seen == ("that a batch which is only marked as free is refused",)
    certain = judge(network(("RELU", 1, (0,), 1), flow=activation(-1, 8, 8, 4)))
    assert (certain.outcome, certain.not_seen) == ("refused", ())


@pytest.mark.parametrize(
    ("name", "version", "seen"), [("CONV_2D", 6, True), ("TRANSPOSE_CONV", 4, True), ("ADD", 5, False)]
)
def test_a_version_that_the_compiler_cannot_read_spoils_the_whole_model(name: str, version: int, seen: bool) -> None:
    verdict = judge(network(("RELU", 1, (0,), 1), (name, version, (1,), 2)))
    assert verdict.outcome == "refused"
    assert verdict.refusal == f"Didn't find op for builtin opcode '{name}' version '{version}'"
    assert bool(verdict.not_seen) is not seen


def test_a_float_model_is_refused_as_not_quantized() -> None:
    verdict = judge(network(("CONV_2D", 1, (0,), 1), flow=activation(1, 8, 8, 3, dtype="FLOAT32", scales=0)))
    assert (verdict.outcome, verdict.refusal) == ("refused", "Model not quantized")


def test_float_at_both_ends_leaves_only_these_on_the_cpu() -> None:
    given, result = activation(1, 4, dtype="FLOAT32", scales=0), activation(1, 4)
    steps = (("QUANTIZE", 0, 1), ("RELU", 1, 2), ("DEQUANTIZE", 2, 3))
    graph = Graph(
        operators=tuple(Operator(name=name, version=1, inputs=(a,), outputs=(b,)) for name, a, b in steps),
        tensors=(given, result, result, given),
        inputs=(0,),
        outputs=(3,),
    )
    verdict = judge(graph)
    assert [row.status for row in verdict.rows] == [LIMITATION, MAPPED, WRONG_TYPE]
    assert "QUANTIZE: convert with inference_input_type = tf.uint8 or tf.int8" in verdict.changes


# One operator at a time: what Coral documents

FLOW = activation(1, 8, 8, 4)
CONV = [FLOW, weights(4, 3, 3, 4)]
DENSE = [activation(1, 16), weights(10, 16)]


@pytest.mark.parametrize(
    ("graph", "status"),
    [
        (graph_of("CONV_2D", 3, [FLOW, weights(4, 3, 3, 4, scales=4)], FLOW), MAPPED),
        (graph_of("CONV_2D", 3, CONV, FLOW, dilation=(2, 2)), MAPPED),
        (graph_of("CONV_2D", 3, CONV, FLOW, dilation=(2, 1)), LIMITATION),
        (graph_of("CONV_2D", 3, [FLOW, activation(4, 3, 3, 4)], FLOW), WRONG_RANK),
        (graph_of("CONV_2D", 5, CONV, FLOW), WRONG_VERSION),
        (graph_of("FULLY_CONNECTED", 4, DENSE, activation(1, 10)), MAPPED),
        (graph_of("FULLY_CONNECTED", 9, DENSE, activation(1, 10)), WRONG_VERSION),
        (graph_of("FULLY_CONNECTED", 4, [DENSE[0], weights(10, 16, scales=10)], activation(1, 10)), LIMITATION),
        (graph_of("FULLY_CONNECTED", 4, DENSE, activation(6, 10)), LIMITATION),
        (graph_of("FULLY_CONNECTED", 4, DENSE, activation(1, 10), keep_num_dims=True), LIMITATION),
        (graph_of("FULLY_CONNECTED", 4, DENSE, activation(1, 10), weights_format=1), LIMITATION),
        (graph_of("MAX_POOL_2D", 2, [FLOW], FLOW), MAPPED),
        (graph_of("MAX_POOL_2D", 2, [FLOW], FLOW, activation="RELU"), LIMITATION),
        (graph_of("CONCATENATION", 1, [FLOW, FLOW], FLOW), MAPPED),
        (graph_of("CONCATENATION", 1, [FLOW, weights(1, 8, 8, 4)], FLOW), LIMITATION),
        (graph_of("CONCATENATION", 1, [FLOW, weights(1, 8, 8, 4, all_zero=True)], FLOW), MAPPED),
        (graph_of("MEAN", 2, [FLOW, numbers(1, 2)], activation(1, 4)), MAPPED),
        (graph_of("MEAN", 2, [FLOW, numbers(0)], activation(8, 8, 4)), LIMITATION),
        (graph_of("MEAN", 2, [FLOW, numbers(-4)], activation(8, 8, 4)), LIMITATION),
        (graph_of("MEAN", 2, [activation(1, 8, 8, 3), numbers(3)], activation(1, 8, 8)), LIMITATION),
        (graph_of("PAD", 2, [FLOW, numbers(0, 0, 1, 1, 1, 1, 0, 0)], activation(1, 10, 10, 4)), MAPPED),
        (graph_of("PAD", 2, [FLOW, numbers(0, 1, 0, 0, 0, 0, 0, 0)], activation(1, 8, 8, 4)), LIMITATION),
        (graph_of("PACK", 2, [FLOW, FLOW], activation(1, 2, 8, 4), axis=0), LIMITATION),
        (graph_of("SPLIT", 2, [numbers(3), FLOW], activation(1, 8, 8, 2)), MAPPED),
        (graph_of("SPLIT", 2, [numbers(0), FLOW], FLOW), LIMITATION),
        (graph_of("STRIDED_SLICE", 2, [FLOW, numbers(0), numbers(8), numbers(1)], FLOW), MAPPED),
        (graph_of("STRIDED_SLICE", 2, [FLOW, numbers(0), numbers(8), numbers(2)], FLOW), LIMITATION),
        (graph_of("STRIDED_SLICE", 2, [FLOW, numbers(0), numbers(8), numbers(1)], FLOW, new_axis_mask=1), LIMITATION),
        (graph_of("SOFTMAX", 2, [activation(1, 16_000)], activation(1, 16_000)), MAPPED),
        (graph_of("SOFTMAX", 2, [activation(1, 16_001)], activation(1, 16_001)), LIMITATION),
        (graph_of("SOFTMAX", 2, [activation(1, 8, 4)], activation(1, 8, 4)), LIMITATION),
        (graph_of("PRELU", 1, [FLOW, weights(1, 1, 4)], FLOW), MAPPED),
        (graph_of("PRELU", 1, [FLOW, weights(8, 8, 4)], FLOW), LIMITATION),
        (graph_of("RESIZE_BILINEAR", 3, [FLOW, numbers(16, 16)], activation(1, 16, 16, 4)), MAPPED),
        (graph_of("RESIZE_BILINEAR", 3, [activation(1, 256, 256, 32)], activation(1, 512, 512, 32)), LIMITATION),
        (graph_of("RESIZE_BILINEAR", 1, [activation(1, 1, 1, 4)], FLOW, align_corners=True), LIMITATION),
        (graph_of("RESIZE_NEAREST_NEIGHBOR", 1, [FLOW, numbers(16, 16)], activation(1, 16, 16, 4)), MAPPED),
        (graph_of("RESIZE_NEAREST_NEIGHBOR", 2, [FLOW, numbers(16, 16)], activation(1, 16, 16, 4)), MAPPED),
        (graph_of("RESIZE_NEAREST_NEIGHBOR", 3, [FLOW, numbers(16, 16)], activation(1, 16, 16, 4)), WRONG_VERSION),
        (graph_of("RESHAPE", 1, [FLOW, numbers(1, 256)], activation(1, 256)), MAPPED),
        (graph_of("RESHAPE", 1, [FLOW], activation(1, 8, 1, 8, 4)), WRONG_RANK),
        (graph_of("ADD", 2, [activation(2, 8, 8, 4)] * 2, activation(2, 8, 8, 4)), WRONG_RANK),
        (graph_of("ADD", 2, [activation(1, 4, dtype="INT32", scales=0)] * 2, activation(1, 4)), WRONG_TYPE),
        (graph_of("ADD", 2, [FLOW, weights(4, dtype="FLOAT32")], FLOW), WRONG_TYPE),
        (graph_of("QUANTIZE", 1, [activation(1, 4, dtype="UINT8")], activation(1, 4)), MAPPED),
        (graph_of("TRANSPOSE_CONV", 3, [numbers(1, 16, 16, 4), weights(4, 3, 3, 4), FLOW], FLOW), MAPPED),
        (graph_of("HARD_SWISH", 1, [FLOW], FLOW), NOT_SUPPORTED),
        (graph_of("LEAKY_RELU", 2, [FLOW], FLOW), NOT_SUPPORTED),
    ],
    ids=lambda value: value if isinstance(value, str) else value.operators[0].name,
)
def test_an_operator_maps_or_stays_for_a_reason_in_the_compilers_words(graph: Graph, status: str) -> None:
    assert status_of(graph) == status


def test_every_reason_comes_with_what_to_change() -> None:
    verdict = judge(graph_of("FULLY_CONNECTED", 4, [DENSE[0], weights(10, 16, scales=10)], activation(1, 10)))
    assert "_experimental_disable_per_channel_quantization_for_dense_layers = True" in verdict.changes[0]


def test_a_version_that_nobody_has_seen_mapped_is_told() -> None:
    verdict = judge(graph_of("MAX_POOL_2D", 2, [FLOW], FLOW))
    assert (verdict.rows[0].maps, verdict.rows[0].seen) == (True, False)
    assert verdict.not_seen == ("that MAX_POOL_2D of version 2 is mapped",)


def test_a_refusal_that_rests_on_a_log_names_it_and_is_not_called_certain() -> None:
    """The log is of an older compiler."""
    chain = network(("RELU", 1, (0,), 1), ("RESIZE_NEAREST_NEIGHBOR", 3, (1,), 2))
    verdict = judge(chain)
    assert (verdict.outcome, verdict.on_tpu) == ("partial", 1)
    detail = (
        "version 3, refused by compilers 14.1 and 15.0 (tensorflow issue 42024, edgetpu issue 420); 16.0 may map it"
    )
    assert verdict.rows[-1].detail == detail
    assert verdict.not_seen == (
        "that RELU of version 1 is mapped",
        f"that RESIZE_NEAREST_NEIGHBOR stays on the CPU: {detail}",
    )
    assert verdict.changes == (
        "RESIZE_NEAREST_NEIGHBOR: use tf.raw_ops.ResizeNearestNeighbor with half_pixel_centers=False, or "
        "UpSampling2D(interpolation='bilinear')",
    )


# Memory


@pytest.mark.parametrize(
    ("mib", "fits", "streamed"),
    [(7.0, "yes", (0, 0)), (7.5, "perhaps", (0, MIB // 2)), (8.9, "no", (1 * MIB, round(1.9 * MIB)))],
)
def test_parameters_are_held_against_the_memory_that_compilers_report(
    mib: float, fits: str, streamed: tuple[int, int]
) -> None:
    """7.0 to 7.9 MiB are left for them in most logs."""
    dense = graph_of("FULLY_CONNECTED", 4, [activation(1, 1), weights(int(mib * MIB), 1)], activation(1, 1))
    parameters = judge(dense).parameters
    assert parameters.fits == fits
    assert parameters.streamed == pytest.approx(streamed, abs=2)


# The tables


def test_the_tables_agree_with_each_other(shared: Path) -> None:
    import json

    for name, versions in SEEN.items():
        assert set(versions) <= set(SUPPORTED[name]), name
    for name, highest in READABLE.items():
        assert max(SUPPORTED.get(name, (0,))) <= highest, name
    known = json.loads((shared / "edgetpu" / "known_good_ops.json").read_text())
    for name, entry in known["operators"].items():
        assert set(entry["versions"]) <= set(SEEN[name]), name
    for name, entry in known["known_refused"].items():
        refused = {version for refused, version in REFUSED if refused == name}
        assert name not in SUPPORTED or refused >= set(entry.get("versions", (3,))), name
        assert not refused & {*SUPPORTED.get(name, ()), *SEEN.get(name, ())}, name


def test_a_model_from_a_file_is_judged_as_one_made_by_hand() -> None:
    assert judge(read_graph(tflite(operators=("RELU", "ELU")))).refusal is None
