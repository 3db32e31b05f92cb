"""The compiler is called so that it stops at the features, and what it returns then is accepted only if it did. It is a
stand-in (recorded_compiler.py), which stops as Coral documents it."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import recorded_compiler
from handmade_graphs import tflite
from recorded_compiler import STOPPED
from standin_twins import packed, stopped_twin_of, unpacked

from edge.edgetpu import twin as twins
from edge.errors import ModelError
from trainer.edgetpu.compiling import compile_model
from trainer.edgetpu.stopping import stopping
from trainer.edgetpu.tflite_graph import read_graph

COMMAND = shlex.join([sys.executable, str(Path(recorded_compiler.__file__))])
NAME = "mobilenet_v1_0.25_128_quant"
FEATURES = "MobilenetV1/Logits/AvgPool_1a/AvgPool"
StandIn = Callable[..., str]
Load = Callable[[str], bytes]


@pytest.fixture
def coral(shared: Path) -> Load:
    """The bytes of one of Coral's models."""
    return lambda name: (shared / "models" / f"{name}.tflite").read_bytes()


@pytest.fixture
def model(coral: Load) -> bytes:
    return coral(NAME)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Prepare the stand-in's behaviour. Returns its command."""

    def tell(**told: object) -> str:
        monkeypatch.setenv("RECORDED_COMPILER", json.dumps(told, default=str))
        return COMMAND

    return tell


def renamed(model: bytes, features: str, first: str = "first") -> bytes:
    """The model with other names of its features and of its first tensor."""
    made = unpacked(model)
    for tensor in made.subgraphs[0].tensors:
        if tensor.name.decode() == FEATURES:
            tensor.name = features
    made.subgraphs[0].tensors[0].name = first
    return packed(made)


def test_the_compiler_is_called_to_stop_at_what_the_last_layer_reads(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    compiled = compile_model(model, command=stand_in(seen=tmp_path / "seen"), teachable=True)
    assert (tmp_path / "seen").read_text().splitlines()[1:3] == ["--intermediate_tensors", FEATURES]
    assert compiled.facts.teachable
    assert (compiled.report.on_tpu, compiled.report.on_cpu, compiled.remarks) == (28, 3, ())
    assert twins.check_twin(compiled.model, model) == compiled.facts


def test_one_that_does_not_know_of_a_time_limit_stops_there_too(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    command = stand_in(refuses="--timeout_sec", seen=tmp_path / "seen")
    assert compile_model(model, command=command, teachable=True).facts.teachable


def test_features_that_cannot_be_named_get_another_name_in_the_compilers_copy(
    stand_in: StandIn, coral: Load, tmp_path: Path
) -> None:
    """These are called by eight names with semicolons between them."""
    source = coral("tf2_mobilenet_v2_1.0_224_ptq")
    compiled = compile_model(source, command=stand_in(seen=tmp_path / "seen"), teachable=True)
    assert (tmp_path / "seen").read_text().splitlines()[2] == "fieldfare_features"
    assert [layer.name for layer in compiled.facts.outputs] == ["fieldfare_features"]
    assert twins.check_twin(compiled.model, source).teachable


@pytest.mark.parametrize("name", ["a:0", "a,b", "a;b", "a b", "Größe", "-i=x"])
def test_what_a_name_must_not_hold_is_replaced_by_one_that_nothing_has(model: bytes, name: str) -> None:
    given, (option, stop) = stopping(renamed(model, name, first="fieldfare_features"))
    assert (option, stop) == ("--intermediate_tensors", "fieldfare_features_")
    before, after = read_graph(model), read_graph(given)
    assert after.operators == before.operators
    changed = {theirs.name: ours.name for ours, theirs in zip(before.tensors, after.tensors, strict=True)}
    assert changed[stop] == FEATURES
    assert [tensor.name for tensor in after.tensors].count(stop) == 1


def test_a_name_that_two_tensors_have_is_replaced(model: bytes) -> None:
    assert stopping(renamed(model, "same", first="same"))[1][1] == "fieldfare_features"
    assert stopping(renamed(model, "plain/name_1.0-x"))[1][1] == "plain/name_1.0-x"


def test_a_compiler_that_does_not_stop_is_refused(stand_in: StandIn, shared: Path, model: bytes) -> None:
    whole = shared / "models" / f"{NAME}_edgetpu.tflite"
    say = recorded_compiler.WHOLE.format(count=31)
    with pytest.raises(ModelError, match=r"last layer alone should be left .* but nothing would be: compile"):
        compile_model(model, command=stand_in(output=whole, say=say), teachable=True)


def test_more_on_the_cpu_than_the_last_layer_is_refused(stand_in: StandIn, model: bytes) -> None:
    with pytest.raises(ModelError, match=r"but 5 operators would be \(CONV_2D, RESHAPE, SOFTMAX\): compile it without"):
        compile_model(model, command=stand_in(cpu=5), teachable=True)


def test_a_compiler_without_the_option_is_named(stand_in: StandIn, model: bytes) -> None:
    with pytest.raises(ModelError, match="Unknown command line flag 'intermediate_tensors'"):
        compile_model(model, command=stand_in(refuses="--intermediate_tensors"), teachable=True)


def test_a_last_layer_on_the_cpu_that_nobody_asked_for_is_a_partial_mapping(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    (tmp_path / "stopped.tflite").write_bytes(stopped_twin_of(model, FEATURES)[0])
    command = stand_in(output=tmp_path / "stopped.tflite", say=STOPPED.format(count=31, on_tpu=28, on_cpu=3))
    with pytest.raises(ModelError, match=r"3 of 31 operators would stay on the CPU \(CONV_2D, RESHAPE, SOFTMAX\)"):
        compile_model(model, command=command)
    assert compile_model(model, command=command, allow_partial=True).facts.teachable


def test_a_model_without_a_last_layer_to_teach_is_refused_before_the_compiler_is_called() -> None:
    with pytest.raises(ModelError, match=r"its last layer cannot be taught: .*; compile it without --teachable"):
        compile_model(tflite(), command="no-compiler-here", teachable=True)
