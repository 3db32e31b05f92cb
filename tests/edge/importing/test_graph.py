"""What the operators of a model show: judged by the one that is really last, and by the numbers of its layers."""

import math
from pathlib import Path
from typing import Any

import pytest
from handmade_models import classifier
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.importing.graph import read_graph


@pytest.mark.parametrize(
    ("ending", "activation"),
    [
        (("SOFTMAX",), "probabilities"),
        (("LOGISTIC",), "probabilities"),
        (("SOFTMAX", "RESHAPE"), "probabilities"),
        (("SOFTMAX", "QUANTIZE", "RESHAPE", "QUANTIZE", "RESHAPE", "QUANTIZE"), "probabilities"),
        ((), "logits"),
        (("RESHAPE",), "logits"),
        (("MUL",), "logits"),
        (("ADD", "MUL"), "logits"),
        (("LOG_SOFTMAX",), "logits"),
        (("SOFTMAX", "MUL"), None),
        (("SOFTMAX", "ADD"), None),
        (("SOFTMAX", "RELU"), None),
        (("HARD_SWISH",), None),
        (("SOFTMAX", "CUSTOM"), None),
    ],
)
def test_the_last_operator_that_changes_values_shows_what_outputs_are(
    ending: tuple[str, ...], activation: str | None
) -> None:
    assert read_graph(classifier(ending=ending)).activation == activation


@pytest.mark.parametrize("gate", ["LOGISTIC", "SOFTMAX"])
def test_a_sigmoid_inside_a_swish_is_not_the_last(gate: str) -> None:
    """The tail of an EfficientNet without a softmax: LOGISTIC, MUL, MEAN, Dense."""
    assert read_graph(classifier(gate=gate, ending=())).activation == "logits"
    assert read_graph(classifier(gate=gate)).activation == "probabilities"


@pytest.mark.parametrize("ends", [("INT8", "INT8"), ("FLOAT32", "FLOAT32"), ("INT8", "FLOAT32")])
def test_layers_show_the_arithmetic_whatever_the_ends_are(ends: tuple[str, str]) -> None:
    assert read_graph(classifier(ends=ends)).arithmetic == "int8"


@pytest.mark.parametrize(
    ("layers", "arithmetic"), [("FLOAT32", "float"), ("INT16", "int16"), ("HYBRID", "int8 weights")]
)
def test_other_arithmetic_is_told_apart(layers: str, arithmetic: str) -> None:
    assert read_graph(classifier(layers=layers)).arithmetic == arithmetic


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 1159), st.integers(0, 255)), min_size=1, max_size=8), st.integers(8, 1160))
def test_damaged_tables_are_refused_in_one_line(changes: list[tuple[int, int]], size: int) -> None:
    model = bytearray(classifier())
    for place, value in changes:
        model[place % len(model)] = value
    try:
        read_graph(bytes(model[:size]))
    except ModelError as error:
        assert "\n" not in str(error)


def test_a_real_sigmoid_free_model(small_model: Path) -> None:
    found = read_graph(small_model.read_bytes())
    assert (found.activation, found.arithmetic) == ("probabilities", "int8")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"scale": math.nan}, "input has the quantization scale nan, must be a finite number above 0"),
        ({"scale": math.inf}, "input has the quantization scale inf, must be a finite number above 0"),
        ({"scale": -1.0}, "input has the quantization scale -1, must be a finite number above 0"),
        ({"zero_point": 300}, "input has the zero point 300, must be -128 to 127"),
        ({"zero_point": -129}, "input has the zero point -129, must be -128 to 127"),
        ({"zero_point": 2**40}, "input has the zero point 1099511627776, must be -128 to 127"),
    ],
)
def test_numbers_that_no_runtime_takes_are_named_before_one_sees_them(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_graph(classifier(**numbers))
