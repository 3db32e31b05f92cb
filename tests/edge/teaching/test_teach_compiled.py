"""A bundle whose compiled model leaves the last layer on the CPU is taught: both models learn the same, and the
software Edge TPU names the new class."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from colour_bundles import COLOURS, KNOWN, colour_bundle, photos
from handmade_models import classifier
from numpy.typing import NDArray
from standin_twins import stopped_twin_of, twin_of

from edge.bundle.manifest import EdgeTpu
from edge.bundle.store import Bundle, open_bundle
from edge.bundle.write import save, seal
from edge.config.running import Decisions, Engine
from edge.edgetpu.ending import read_ending
from edge.edgetpu.model import read_model
from edge.edgetpu.twin import check_twin
from edge.errors import BundleError
from edge.fakes.software_edgetpu import ENVIRONMENT, Script, answers_for, write_answers, write_script
from edge.importing.feature_tensor import with_features_as_output
from edge.inference import golden
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor, Tensor
from edge.records import Frame
from edge.teaching.last_layer import read_last_layer
from edge.teaching.photos import of_folder
from edge.teaching.teach import teach
from edge.worker.assemble import build_pipeline

Run = Callable[..., subprocess.CompletedProcess[str]]

STAND_IN = Path(__file__).resolve().parents[2] / "trainer" / "recorded_compiler.py"
LOG = b"what the compiler printed\n"
NO_EDGETPU = "the new bundle has no model for the Edge TPU: it serves from the CPU"
HINT = "one compiled with --teachable could be kept"


def with_compiled(bundle: Bundle, compiled: bytes, *, log: bool = True) -> Bundle:
    """The bundle with a compiled model and its log, whatever it is."""
    files = {"model_edgetpu.tflite": compiled, **({"compiler.log": LOG} if log else {})}
    contents = {
        name: data for name, data in bundle.contents.items() if not name.startswith(("manifest.", "compiler.log"))
    }
    part = EdgeTpu(
        model="model_edgetpu.tflite", log="compiler.log" if log else None, operators_on_tpu=1, operators_on_cpu=2
    )
    made = seal(bundle.path, msgspec.structs.replace(bundle.manifest, edgetpu=part, files=()), {**contents, **files})
    save(made, overwrite=True)
    return made


def stopped(model: bytes) -> bytes:
    """The compiled model that leaves the last layer of `model` on the CPU."""
    ending = read_ending(model)
    assert ending is not None
    return stopped_twin_of(model, read_model(model).tensors[ending.features].name)[0]


@pytest.fixture(params=[(), ("RESHAPE", "SOFTMAX")], ids=["logits", "probabilities"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    """A bundle with a compiled model that can be taught."""
    bundle = colour_bundle(tmp_path / "old", ending=request.param)
    return with_compiled(bundle, stopped(bundle.model))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of the three known colours and of a new one."""
    for label in KNOWN:
        photos(tmp_path / "photos", label, label, 6)
    return photos(tmp_path / "photos", "yellow", "yellow", 10)


def picture_of(colour: str) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), COLOURS[colour][::-1], np.uint8)


@pytest.fixture
def on_edgetpu(
    tmp_path: Path, edgetpu_library: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Bundle], dict[str, tuple[str, float]]]:
    """Label and score of each colour by a bundle on the software Edge TPU, which knows the features of the colours and
    of the golden inputs by the bundle's model for the CPU."""
    control = tmp_path / "edgetpu"
    control.mkdir()
    monkeypatch.setenv(ENVIRONMENT, str(control))
    write_script(control, Script())

    def ask(bundle: Bundle) -> dict[str, tuple[str, float]]:
        preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
        inputs: list[Tensor] = [preprocessor.quantize(preprocessor.pixels(picture_of(one))) for one in COLOURS]
        inputs += [case.tensor for case in golden.prepare(bundle, preprocessor).cases]
        features = TfliteClassifier(load_runtime(), with_features_as_output(bundle.model))
        write_answers(control, answers_for(features, [one[None] for one in inputs]))
        return answers(bundle, Engine(device="usb", edgetpu_library=str(edgetpu_library)))

    return ask


def answers(bundle: Bundle, engine: Engine) -> dict[str, tuple[str, float]]:
    pipeline = build_pipeline(bundle, engine, Decisions())
    assert pipeline.on_edgetpu == (engine.device != "cpu")
    found = {}
    for colour in COLOURS:
        best = pipeline.process(Frame(picture_of(colour), 0, 0.0, 0.0)).top[0]
        found[colour] = best.label, best.score
    pipeline.classifier.close()
    return found


def test_the_new_class_is_named_on_the_edge_tpu_as_on_the_cpu(
    old: Bundle, folder: Path, tmp_path: Path, on_edgetpu: Callable[[Bundle], dict[str, tuple[str, float]]]
) -> None:
    notes: list[str] = []
    new = teach(old, tmp_path / "new", of_folder(folder), note=notes.append).bundle
    assert not [note for note in notes if "Edge TPU" in note]
    assert on_edgetpu(old)["yellow"][0] != "yellow"
    found = on_edgetpu(new)
    assert {colour: label for colour, (label, _) in found.items()} == {colour: colour for colour in COLOURS}
    assert found == answers(new, Engine(device="cpu"))


def test_the_new_bundle_keeps_the_compiled_model_its_record_and_its_log(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    made = teach(old, tmp_path / "new", of_folder(folder)).bundle
    save(made)
    new = open_bundle(tmp_path / "new")
    assert new.edgetpu_model is not None
    assert old.edgetpu_model is not None
    assert check_twin(new.edgetpu_model, new.model).teachable
    assert new.manifest.edgetpu == old.manifest.edgetpu
    assert new.contents["compiler.log"] == LOG
    layers = read_last_layer(new.edgetpu_model), read_last_layer(new.model)
    assert layers[0].classes == 4
    assert np.array_equal(layers[0].stored, layers[1].stored)
    with pytest.raises(Exception, match="compiled from another model"):
        check_twin(old.edgetpu_model, new.model)


def test_it_can_be_taught_again_and_needs_no_log(old: Bundle, folder: Path, tmp_path: Path) -> None:
    assert old.edgetpu_model is not None
    bare = with_compiled(old, old.edgetpu_model, log=False)
    first = teach(bare, tmp_path / "first", of_folder(folder)).bundle
    second = teach(first, tmp_path / "second", of_folder(photos(tmp_path / "more", "red", "red", 8, first=50))).bundle
    assert second.edgetpu_model is not None
    assert check_twin(second.edgetpu_model, second.model).teachable
    assert "compiler.log" not in second.contents


def test_a_compiled_model_that_runs_there_as_a_whole_is_left_out_with_a_note(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    whole = with_compiled(old, twin_of(old.model)[0])
    notes: list[str] = []
    new = teach(whole, tmp_path / "new", of_folder(folder), note=notes.append).bundle
    assert [note for note in notes if "Edge TPU" in note] == [f"{NO_EDGETPU}; {HINT}"]
    assert new.edgetpu_model is None
    assert new.manifest.edgetpu is None
    assert not {"model_edgetpu.tflite", "compiler.log"} & set(new.contents)


def test_a_placeholder_is_left_out_with_a_note(old: Bundle, folder: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    empty = with_compiled(old, twin_of(old.model, empty=True)[0])
    assert teach(empty, tmp_path / "new", of_folder(folder), note=notes.append).bundle.edgetpu_model is None
    assert [note for note in notes if note.startswith(NO_EDGETPU)]


def test_a_compiled_model_with_other_features_is_refused_before_any_work(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    """Its features count in steps of another size, so that the same numbers would mean something else."""
    strange = with_compiled(old, stopped(classifier(scale=1 / 64, ending=("SOFTMAX",))))
    with pytest.raises(
        BundleError, match=r"old: compiled model: .*compiled from another model: compile again"
    ) as caught:
        teach(strange, tmp_path / "new", of_folder(folder))
    assert "\n" not in str(caught.value)


def test_one_whose_last_layer_shares_its_numbers_is_left_out_with_the_reason(
    old: Bundle, folder: Path, tmp_path: Path
) -> None:
    """As a compiler may do that keeps equal constants once."""
    from ai_edge_litert import schema_py_generated as schema
    from standin_twins import packed, unpacked

    assert old.edgetpu_model is not None
    made = unpacked(old.edgetpu_model)
    graph = made.subgraphs[0]
    layer = next(one for one in graph.operators if len(one.inputs) == 3)
    shared = schema.TensorT()
    shared.name, shared.type, shared.shape = "shared", schema.TensorType.INT8, [3, 3]
    shared.buffer = graph.tensors[layer.inputs[1]].buffer
    graph.tensors.append(shared)
    notes: list[str] = []
    new = teach(with_compiled(old, packed(made)), tmp_path / "new", of_folder(folder), note=notes.append).bundle
    assert [note for note in notes if "shares its numbers with another layer" in note and NO_EDGETPU in note]
    assert new.edgetpu_model is None


@pytest.mark.process
def test_from_the_compiler_to_the_taught_bundle_as_its_users_do_it(
    folder: Path,
    tmp_path: Path,
    run_fieldfare: Run,
    on_edgetpu: Callable[[Bundle], dict[str, tuple[str, float]]],
) -> None:
    """The compiler is a stand-in that stops as Coral documents it."""
    colour_bundle(tmp_path / "birds", ending=("RESHAPE", "SOFTMAX"))
    compiler = shlex.join([sys.executable, str(STAND_IN)])
    done = run_fieldfare("compile", tmp_path / "birds", "--teachable", "--compiler", compiler, env={**os.environ})
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 on the Edge TPU, 3 on the CPU" in done.stdout
    assert "last layer  runs on the CPU, so that the bundle can be taught" in done.stdout
    shown = run_fieldfare("bundle", "show", tmp_path / "birds").stdout
    assert "1 operators on the TPU, 3 on the CPU" in shown
    assert "last layer     runs on the CPU, so that the bundle can be taught" in shown
    taught = run_fieldfare("teach", "--bundle", tmp_path / "birds", "--photos", folder)
    assert taught.returncode == 0, taught.stderr
    assert "Edge TPU" not in taught.stderr
    verified = run_fieldfare("bundle", "verify", tmp_path / "birds")
    assert "for the Edge TPU runtime 12 or newer; the last layer runs on the CPU" in verified.stdout
    checked = run_fieldfare("check-edgetpu", tmp_path / "birds")
    assert checked.returncode == 0, checked.stdout
    assert "last layer  runs on the CPU" in checked.stdout
    new = open_bundle(tmp_path / "birds")
    assert on_edgetpu(new)["yellow"][0] == "yellow"
    assert on_edgetpu(new) == answers(new, Engine(device="cpu"))
