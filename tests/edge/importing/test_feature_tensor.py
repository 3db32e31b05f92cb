"""A classifier gives its features once its list of outputs names the tensor that its last layer reads."""

import numpy as np
import pytest
from handmade_models import classifier
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.flatbuffer import root
from edge.importing.feature_tensor import with_features_as_output
from edge.importing.graph import last_layer


@pytest.mark.parametrize("ending", [("SOFTMAX",), (), ("RESHAPE",), ("SOFTMAX", "QUANTIZE", "RESHAPE")])
def test_the_output_is_what_the_last_layer_reads(ending: tuple[str, ...]) -> None:
    model = classifier(ending=ending)
    graph = root(with_features_as_output(model)).nodes(2)[0]
    assert graph.numbers(2) == (last_layer(model),)
    assert graph.numbers(2) != root(model).nodes(2)[0].numbers(2)


def test_nothing_else_is_changed() -> None:
    model = classifier()
    changed = with_features_as_output(model)
    assert np.count_nonzero(np.frombuffer(model, np.uint8) != np.frombuffer(changed, np.uint8)) <= 4


@pytest.mark.parametrize("ending", [("SOFTMAX", "CUSTOM"), ("MUL",), ("HARD_SWISH",)])
def test_what_lies_behind_the_last_layer_must_be_understood(ending: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="no features: what follows"):
        with_features_as_output(classifier(ending=ending))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 1159), st.integers(0, 255)), min_size=1, max_size=8), st.integers(8, 1160))
def test_damaged_tables_are_refused_in_one_line(changes: list[tuple[int, int]], size: int) -> None:
    damaged = bytearray(classifier())
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        changed = with_features_as_output(bytes(damaged[:size]))
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert len(changed) == len(damaged[:size])
