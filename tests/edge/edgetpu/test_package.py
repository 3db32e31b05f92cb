"""What a compiled model's package holds, and that a placeholder or a damaged one is refused."""

import math
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from handmade_packages import COMPILER, Recipe, options, package
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.edgetpu.flexbuffer import value
from edge.edgetpu.package import Layer, Package, read_package
from edge.edgetpu.twin import CompiledModel, read_compiled
from edge.errors import ModelError

INPUT = Layer("camera", (8, 6, 3), 144, 8, 0.5, 127)
OUTPUT = Layer("answers", (1, 1, 5), 8, 8, 0.25, 0)
RECIPE = Recipe(inputs=[INPUT], outputs=[OUTPUT], cached=b"on the chip", streamed=b"sent", instructions=b"noise!")


def test_a_package_is_read() -> None:
    assert read_package(options(RECIPE)) == Package(
        min_runtime=12,
        compiler=COMPILER,
        on_chip_bytes=11,
        streamed_bytes=4,
        instruction_bytes=6,
        inputs=(INPUT,),
        outputs=(OUTPUT,),
        parameters=(b"sent", b"on the chip"),
    )


def test_one_executable_alone_streams_all_its_parameters_whatever_its_type() -> None:
    for kind in (0, 1, 2):
        found = read_package(options(replace(RECIPE, kinds=(kind,))))
        assert (found.on_chip_bytes, found.streamed_bytes) == (0, 4)


def test_of_three_executables_the_one_that_stands_alone_is_run() -> None:
    """libedgetpu does not use the caching of such a package yet."""
    found = read_package(options(replace(RECIPE, kinds=(0, 1, 2))))
    assert (found.streamed_bytes, found.inputs) == (4, (INPUT,))


# Figures of the package: cached, streamed, instructions; the first input and the first output.
CORAL = {
    "mobilenet_v1_0.25_128_quant": (
        (566_912, 0, 170_032),
        ("input", (128, 128, 3), 128, 0.007812),
        ("MobilenetV1/Predictions/Reshape_1", (1, 1, 1001), 0, 0.003906),
    ),
    "mobilenet_v1_0.5_160_quant": (
        (1_473_280, 0, 205_936),
        ("input", (160, 160, 3), 128, 0.007812),
        ("MobilenetV1/Predictions/Reshape_1", (1, 1, 1001), 0, 0.003906),
    ),
    "mobilenet_v1_1.0_224_quant_embedding_extractor": (
        (3_363_072, 0, 87_584),
        ("input", (224, 224, 3), 128, 0.007812),
        ("MobilenetV1/Logits/AvgPool_1a/AvgPool", (1, 1, 1024), 0, 0.023528),
    ),
    "deeplabv3_mnv2_dm05_pascal_quant": (
        (766_720, 0, 160_672),
        ("MobilenetV2/MobilenetV2/input", (513, 513, 3), 128, 0.007812),
        (None, (33, 33, 256), 0, 0.029083),
    ),
    "movenet_single_pose_lightning_ptq": (
        (2_862_656, 2_368, 133_408),
        ("tfl.quantize", (192, 192, 3), 0, 1.0),
        ("Reshape_2", (1, 2304, 1), 0, 0.002044),
    ),
    "keras_lstm_mnist_ptq": (
        (43_968, 576, 60_864),
        ("serving_default_x:0", (1, 28, 28), 0, 0.003922),
        ("StatefulPartitionedCall:0", (1, 1, 10), 0, 0.003906),
    ),
}


@pytest.mark.parametrize("name", CORAL)
def test_every_published_package_is_read_right(shared: Path, name: str) -> None:
    found = read_compiled((shared / "models" / f"{name}_edgetpu.tflite").read_bytes())
    sizes, first_input, first_output = CORAL[name]
    assert (found.on_chip_bytes, found.streamed_bytes, found.instruction_bytes) == sizes
    assert (found.min_runtime, found.compiler) == (12, "cl/")
    for layer, (wanted, shape, zero_point, scale) in (
        (found.inputs[0], first_input),
        (found.outputs[0], first_output),
    ):
        assert layer.name == (wanted or layer.name)
        assert (layer.shape, layer.zero_point) == (shape, zero_point)
        assert math.isclose(layer.scale, scale, abs_tol=1e-6)


def test_several_inputs_and_outputs_are_read(shared: Path) -> None:
    def ends(name: str) -> tuple[int, int]:
        found: CompiledModel = read_compiled((shared / "models" / f"{name}_edgetpu.tflite").read_bytes())
        return len(found.inputs), len(found.outputs)

    assert ends("deeplabv3_mnv2_dm05_pascal_quant") == (1, 2)
    assert ends("movenet_single_pose_lightning_ptq") == (1, 5)
    assert ends("keras_lstm_mnist_ptq") == (3, 3)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "operator for the Edge TPU is empty: a placeholder"),
        (struct.pack("<I", 0xDEADBEEF) * 8, r"no package of Coral's compiler \(.*\): a placeholder"),
        (b"\0" * 64, "a placeholder"),
        (options(replace(RECIPE, mark=b"ABCD")), r"no package of Coral's compiler \(no package, no DWN1 mark\)"),
        (options(RECIPE)[:-20], "operator for the Edge TPU is damaged"),
        (options(replace(RECIPE, instructions=b"")), "holds no instructions: a placeholder"),
        (options(replace(RECIPE, inputs=[])), "has no input or no output: a placeholder"),
        (options(replace(RECIPE, outputs=[])), "has no input or no output: a placeholder"),
        (options(replace(RECIPE, runtime=15)), "needs the Edge TPU runtime 15, must be 10 to 14"),
        (options(replace(RECIPE, runtime=9)), "needs the Edge TPU runtime 9, must be 10 to 14"),
        (options(replace(RECIPE, runtime=-1)), "needs the Edge TPU runtime -1, must be 10 to 14"),
        (options(replace(RECIPE, chips=-1)), "several chips at once"),
        (options(replace(RECIPE, chip="gopher")), "for the chip 'gopher', a Coral is 'beagle'"),
        (options(replace(RECIPE, batch=8)), "for 8 pictures at once, must be 1"),
        (options(replace(RECIPE, links=[])), "instructions and layers differ, first at 'answers'"),
        (options(replace(RECIPE, links=[(1, "camera", 0), (0, "other", 0)])), "first at 'answers'"),
        (options(replace(RECIPE, links=[(1, "camera", 0), (0, "answers", 17)])), "an address at bit 17 of 48"),
        (options(replace(RECIPE, links=[(1, "camera", -1), (0, "answers", 0)])), "an address at bit -1 of 48"),
        (options(replace(RECIPE, links=[(2, "", 0)] * 5000)), "a vector of 5000 entries, at most 4096"),
        (options(replace(RECIPE, kinds=())), r"executables of the types \[\]"),
        (options(replace(RECIPE, kinds=(2, 2))), r"executables of the types \[2, 2\], which no Coral runs together"),
        (options(replace(RECIPE, kinds=(0, 1))), r"executables of the types \[0, 1\]"),
        (options(replace(RECIPE, kinds=(0, 1, 2, 1))), "a vector of 4 entries, at most 3"),
        (options(replace(RECIPE, inputs=[replace(INPUT, shape=(0, 6, 3))])), "0x6x3 values"),
        (options(replace(RECIPE, inputs=[replace(INPUT, size=143)])), "8x6x3 values in 143 bytes"),
        (options(replace(RECIPE, inputs=[replace(INPUT, scale=0.0)])), "with the scale 0"),
        (options(replace(RECIPE, inputs=[replace(INPUT, scale=math.inf)])), "with the scale inf"),
        (options(replace(RECIPE, inputs=[replace(INPUT, data_type=5)])), "of type 5"),
        (options(replace(RECIPE, inputs=[replace(INPUT, name="")])), "the layer ''"),
        (options(replace(RECIPE, inputs=[INPUT] * 300)), "a vector of 300 entries, at most 256"),
    ],
)
def test_what_no_coral_runs_is_refused_with_the_reason(given: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        read_package(given)
    assert "\n" not in str(caught.value)


@settings(max_examples=400)
@given(data=st.data())
def test_any_change_of_bytes_is_read_or_refused(data: st.DataObject) -> None:
    """Offsets in front of and behind the data, sizes of 2^32, types that are none."""
    whole = bytearray(options(RECIPE))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 4))
        number = data.draw(st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**31, 2**32 - 1, len(whole)])))
        whole[place : place + 4] = struct.pack("<I", number)
    try:
        found = read_package(bytes(whole))
    except ModelError:
        return
    assert 10 <= found.min_runtime <= 14
    assert found.inputs
    assert found.on_chip_bytes + found.streamed_bytes <= 2 * len(whole)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_no_package(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_package(data)


def test_a_claim_of_four_gigabytes_takes_no_memory() -> None:
    whole = bytearray(options(replace(RECIPE, cached=b"x" * 5000)))
    place = whole.index(b"x" * 5000) - 4
    whole[place : place + 4] = b"\xff" * 4
    tracemalloc.start()
    with pytest.raises(ModelError, match="damaged"):
        read_package(bytes(whole))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=80), st.binary(max_size=4))
def test_a_map_of_any_bytes_is_read_or_refused(data: bytes, key: bytes) -> None:
    try:
        found = value(data, key)
    except ValueError:
        return
    assert found is None or found in data


def test_a_key_that_is_not_there_has_no_value() -> None:
    assert value(options(RECIPE), b"2") is None
    assert value(options(RECIPE), b"4") == package(RECIPE)
    with pytest.raises(ValueError, match="a value of the type 1, must be a text"):
        value(options(RECIPE), b"1")
