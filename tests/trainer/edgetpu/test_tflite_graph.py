"""Reading a .tflite file into records. A damaged file leads to one error, soon, whatever its bytes are."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from handmade_graphs import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from trainer.edgetpu import tflite_graph
from trainer.edgetpu.tflite_graph import MAX_ENTRIES, Graph, Options, read_graph

Load = Callable[[str], Graph]

SMALL = tflite()


@pytest.fixture(scope="module")
def models(shared: Path) -> Load:
    """The graph of one of Coral's models by name."""
    return lambda name: read_graph((shared / "models" / f"{name}.tflite").read_bytes())


def test_operators_stand_in_the_order_of_execution_with_their_versions(models: Load) -> None:
    graph = models("mobilenet_v1_0.25_128_quant")
    assert [operator.name for operator in graph.operators[-4:]] == ["AVERAGE_POOL_2D", "CONV_2D", "RESHAPE", "SOFTMAX"]
    assert {operator.version for operator in graph.operators} == {1}
    assert graph.subgraphs == 1
    assert not graph.compiled


def test_a_tensor_has_type_shape_scale_and_what_is_constant_of_it(models: Load) -> None:
    graph = models("mobilenet_v1_0.25_128_quant")
    (given,) = graph.present(graph.inputs)
    assert (given.dtype, given.shape, given.scales, given.zero_point, given.constant) == (
        "UINT8",
        (1, 128, 128, 3),
        1,
        128,
        False,
    )
    assert given.scale == pytest.approx(1 / 128)
    weights = graph.tensors[graph.operators[0].inputs[1]]
    assert (weights.constant, weights.shape, weights.size) == (True, (8, 3, 3, 3), 216)


def test_weights_may_have_a_scale_for_each_channel(models: Load) -> None:
    graph = models("tf2_mobilenet_v2_1.0_224_ptq")
    weights = graph.tensors[graph.operators[1].inputs[1]]
    assert (weights.scales, weights.axis) == (32, 0)


def test_axes_are_read(models: Load) -> None:
    graph = models("tf2_mobilenet_v2_1.0_224_ptq")
    (mean,) = (operator for operator in graph.operators if operator.name == "MEAN")
    assert graph.tensors[mean.inputs[1]].values == (1, 2)


def test_options_are_read(models: Load) -> None:
    graph = models("deeplabv3_mnv2_dm05_pascal_quant")
    assert graph.operators[51].options == Options(activation="RELU6", dilation=(2, 2))
    assert graph.operators[64].options == Options(align_corners=True)
    assert graph.operators[66].options == Options(axis=3)


def test_inputs_that_are_left_out_and_state_are_told(models: Load) -> None:
    graph = models("keras_lstm_mnist_ptq")
    lstm = graph.operators[1]
    assert -1 in lstm.inputs
    assert [tensor.dtype for tensor in graph.present(lstm.inputs) if tensor.variable] == ["INT8", "INT16"]


def test_a_compiled_model_is_known_by_its_operator(models: Load) -> None:
    graph = models("mobilenet_v1_0.25_128_quant_edgetpu")
    assert [operator.title for operator in graph.operators] == ["CUSTOM edgetpu-custom-op"]
    assert graph.compiled


def test_a_model_without_buffers_and_scales_is_read(models: Load) -> None:
    graph = models("model_invoking_error")
    assert [operator.title for operator in graph.operators] == ["CUSTOM fake-op-double"]
    assert [tensor.dtype for tensor in graph.tensors] == ["UINT8", "FLOAT32"]


def test_a_file_made_with_the_format_s_own_writer_is_read() -> None:
    graph = read_graph(SMALL)
    assert [(o.name, o.version, o.inputs, o.outputs) for o in graph.operators] == [
        ("RELU", 2, (0,), (1,)),
        ("RELU", 2, (1,), (2,)),
    ]
    assert graph.tensors[3].values == (1, 2)
    assert graph.tensors[0].zero_point == -3


# Damage


@pytest.mark.parametrize("data", [b"", b"TFL3", b"PK\x03\x04 a ZIP", b"\0" * 4096])
def test_what_is_no_tflite_is_told_by_its_missing_mark(data: bytes) -> None:
    with pytest.raises(ModelError, match="no TFL3 mark"):
        read_graph(data)


@pytest.mark.parametrize(
    "name",
    [
        "keras_lstm_mnist_ptq",
        "keras_lstm_mnist_ptq_edgetpu",
        "mobilenet_v1_0.25_128_quant",  # its labels are packed at its end
        "mobilenet_v1_0.25_128_quant_edgetpu",
        "movenet_single_pose_lightning_ptq_edgetpu",  # ends with a name
    ],
)
def test_a_model_that_was_cut_anywhere_is_refused(shared: Path, name: str) -> None:
    """An interrupted copy is. The missing part may be a constant, a name or the code for the Edge TPU."""
    data = (shared / "models" / f"{name}.tflite").read_bytes()
    assert read_graph(data).operators
    for end in [len(data) * part // 200 for part in range(200)] + [len(data) - missing for missing in (1, 4, 20)]:
        with pytest.raises(ModelError, match=r"damaged|no TFL3 mark") as caught:
            read_graph(data[:end])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [MAX_ENTRIES + 1, 2**31, 2**32 - 1])
def test_no_claimed_length_is_believed(count: int) -> None:
    """Whichever word of the file becomes a huge length or offset, reading ends at once."""
    for place in range(8, len(SMALL) - 4, 4):
        read_or_refuse(SMALL[:place] + struct.pack("<I", count) + SMALL[place + 4 :])


def read_or_refuse(data: bytes) -> None:
    """Read `data`, or fail with a ModelError, within a second of processor time."""
    started = time.process_time()
    try:
        read_graph(data)
    except ModelError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 400
    assert time.process_time() - started < 1


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_changed_bytes_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for place, value in changes:
        data[place] = value
    read_or_refuse(bytes(data))


@settings(max_examples=100)
@given(data=st.data())
def test_a_real_model_with_changed_bytes_is_read_or_refused(shared: Path, data: st.DataObject) -> None:
    """LiteRT itself died of SIGSEGV on 18 of 20,003 mutants of a small model (shared/FACTS.md)."""
    model = bytearray((shared / "models" / "keras_lstm_mnist_ptq.tflite").read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(model))


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_behind_the_mark_are_read_or_refused(tail: bytes) -> None:
    read_or_refuse(b"\x1c\0\0\0TFL3" + tail)


def test_long_names_of_many_tensors_are_no_damage() -> None:
    """TensorFlow's names hold all fused layers, and have hundreds of letters."""
    graph = read_graph(tflite(operators=("RELU",) * 10_000, prefix="model/block/" * 20))
    assert len(graph.operators) == 10_000
    assert len(graph.tensors[0].name) > 200


def test_what_is_read_in_all_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tables may point at one long list, which would be walked as often."""
    monkeypatch.setattr(tflite_graph, "MAX_WORK", 20)
    with pytest.raises(ModelError, match="more than 20 entries in its lists"):
        read_graph(tflite(operators=("RELU",) * 20))
