"""The memory of an Edge TPU in the report: read from the compiled model, else what the operators let expect."""

from types import SimpleNamespace
from typing import Any

import pytest
from handmade_graphs import activation, network, weights

from trainer.delivery.report_input import _memory
from trainer.edgetpu.compatibility import judge
from trainer.edgetpu.tflite_graph import Graph, Operator
from trainer.report.records import Memory

MIB = 2**20


def convolution(*, kilobytes: int) -> Graph:
    """A graph of one convolution, whose weights have so many KiB."""
    step = Operator(name="CONV_2D", version=3, inputs=(0, 1), outputs=(2,))
    tensors = (activation(1, 8, 8, 1024), weights(kilobytes, 1, 1, 1024), activation(1, 8, 8, kilobytes))
    return Graph(operators=(step,), tensors=tensors, inputs=(0,), outputs=(2,))


def test_a_compiled_model_counts_before_any_prediction() -> None:
    compiled: Any = SimpleNamespace(facts=SimpleNamespace(on_chip_bytes=566_912, streamed_bytes=64))
    verdict = judge(convolution(kilobytes=9000))
    assert _memory(verdict, compiled) == Memory(566_912, (64, 64), compiled=True)


@pytest.mark.parametrize(("kilobytes", "kept"), [(512, 512), (9 * 1024, None)])
def test_without_one_the_operators_let_expect_it(kilobytes: int, kept: int | None) -> None:
    expected = _memory(judge(convolution(kilobytes=kilobytes)), None)
    assert expected is not None
    assert not expected.compiled
    if kept is not None:
        assert (expected.on_chip, expected.streamed) == (kept * 1024, (0, 0))
    else:
        assert 7 * MIB < expected.on_chip < 8 * MIB
        assert 0 < expected.streamed[0] < expected.streamed[1]


def test_what_no_edge_tpu_takes_needs_no_memory_there() -> None:
    assert _memory(judge(network(("ELU", 1, (0,), 1))), None) is None
