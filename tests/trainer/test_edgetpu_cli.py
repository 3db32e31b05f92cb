"""check-edgetpu, compile and bundle add-edgetpu as their users run them. The compiler is a stand-in."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from handmade_graphs import tflite
from recorded_compiler import twin_of

from edge.bundle.importer import Told, import_model
from edge.bundle.store import open_bundle
from edge.bundle.write import save

COMMAND = shlex.join([sys.executable, str(Path(__file__).with_name("recorded_compiler.py"))])
NAME = "mobilenet_v1_0.25_128_quant"


@pytest.fixture(scope="module")
def models(shared) -> Path:
    return shared / "models"


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory) -> Path:
    """A bundle of one of Coral's models, for the CPU."""
    out = tmp_path_factory.mktemp("finished") / "birds"
    save(import_model(models / f"{NAME}.tflite", out, Told(resize="squash"), lambda _: pytest.fail("asked")))
    return out


@pytest.fixture
def bundle(finished, tmp_path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "birds"))


@pytest.fixture
def compile_(run_fieldfare) -> Callable[..., subprocess.CompletedProcess[str]]:
    """fieldfare compile with the stand-in, told what to do."""

    def run(*words: object, **told: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "RECORDED_COMPILER": json.dumps(told, default=str)}
        return run_fieldfare("compile", *words, "--compiler", COMMAND, env=environment)

    return run


# check-edgetpu


def test_a_model_that_maps_as_a_whole_is_status_0(run_fieldfare, models):
    done = run_fieldfare("check-edgetpu", models / f"{NAME}.tflite")
    assert (done.returncode, done.stderr) == (0, "")
    assert "maps as a whole, 31 operators (predicted, the compiler was not asked)" in done.stdout
    assert "0.46 MiB, fit the on-chip memory" in done.stdout


def test_a_model_that_maps_in_part_is_status_1_and_says_where_and_why(run_fieldfare, models):
    done = run_fieldfare("check-edgetpu", models / "deeplabv3_mnv2_dm05_pascal_quant.tflite")
    assert done.returncode == 1
    assert "maps in part, 64 of 72 operators" in done.stdout
    assert "splits at   operator 64, RESIZE_BILINEAR" in done.stdout
    assert "More than one subgraph is not supported" in done.stdout


def test_a_compiled_model_tells_what_is_left_on_the_cpu(run_fieldfare, models):
    done = run_fieldfare("check-edgetpu", models / "movenet_single_pose_lightning_ptq_edgetpu.tflite")
    assert done.returncode == 1
    assert "compiled, one part for the Edge TPU, 59 operators are left on the CPU" in done.stdout


def test_the_verdict_as_json(run_fieldfare, models):
    done = run_fieldfare("check-edgetpu", models / "model_invoking_error.tflite", "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["verdict"]["outcome"], answer["verdict"]["refusal"]) == ("refused", "Model not quantized")
    assert answer["compiled_twin"] is None


@pytest.mark.parametrize(("name", "status"), [("cat.bmp", 65), ("imagenet_labels.txt", 65), ("nothing-here", 66)])
def test_what_is_no_model_is_an_error_in_one_line(run_fieldfare, models, name, status):
    done = run_fieldfare("check-edgetpu", models / name)
    assert done.returncode == status
    assert done.stderr.startswith(f"fieldfare: {models / name}: ")
    assert done.stderr.count("\n") == 1


def test_nothing_heavy_is_loaded_with_the_commands():
    """Neither TensorFlow, nor a runtime, nor NumPy before a command is called; TensorFlow never."""
    code = (
        "import sys, trainer.cli.edgetpu; heavy = {'tensorflow', 'numpy', 'ai_edge_litert', 'flatbuffers'};"
        "print(sorted(heavy & set(sys.modules))); import trainer.compile_edgetpu, trainer.bundle_edgetpu;"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"


# compile


def test_a_bundle_gets_its_compiled_model_with_what_the_compiler_said(compile_, run_fieldfare, bundle, models, shared):
    before = open_bundle(bundle)
    words = shared / "edgetpu" / "compiler_stdout_whole.txt"
    done = compile_(bundle, output=models / f"{NAME}_edgetpu.tflite", say=words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "214 on the Edge TPU, 0 on the CPU" in done.stdout
    assert "7.04 MiB on the chip, 15.06 MiB streamed" in done.stdout
    after = open_bundle(bundle)
    assert after.edgetpu_model == (models / f"{NAME}_edgetpu.tflite").read_bytes()
    assert after.model == before.model
    assert after.manifest.golden == before.manifest.golden
    assert after.manifest.edgetpu.compiler_version == "15.0.340273435"
    assert after.contents["compiler.log"].decode() == words.read_text()
    assert "214 operators on the TPU, 0 on the CPU" in run_fieldfare("bundle", "show", bundle).stdout
    assert run_fieldfare("check-edgetpu", bundle).returncode == 0
    again = compile_(bundle)
    assert again.returncode == 73
    assert "--overwrite" in again.stderr
    assert compile_(bundle, "--overwrite").returncode == 0


def test_a_bundle_may_be_left_as_it_is(compile_, bundle, tmp_path):
    before = open_bundle(bundle).bundle_id
    done = compile_(bundle, "--out", tmp_path / "new.fieldfare", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bundle"] == open_bundle(tmp_path / "new.fieldfare").bundle_id
    assert open_bundle(bundle).bundle_id == before


def test_a_model_file_gets_a_twin_beside_it(compile_, tmp_path):
    (tmp_path / "small.tflite").write_bytes(tflite())
    done = compile_(tmp_path / "small.tflite")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.tflite",
        "small_edgetpu.log",
        "small_edgetpu.tflite",
    ]
    assert compile_(tmp_path / "small.tflite").returncode == 73


def test_a_partial_mapping_is_refused_unless_it_is_allowed(compile_, bundle, shared):
    words = shared / "edgetpu" / "compiler_stdout_partial.txt"
    done = compile_(bundle, say=words)
    assert done.returncode == 65
    assert "3 of 267 operators would stay on the CPU" in done.stderr
    assert "--allow-partial" in done.stderr
    assert open_bundle(bundle).edgetpu_model is None
    assert compile_(bundle, "--allow-partial", say=words).returncode == 0


def test_a_refusal_leaves_the_bundle_as_it_is(compile_, bundle, shared):
    done = compile_(bundle, say=shared / "edgetpu" / "compiler_stdout_refused.txt", output="none", status=1)
    assert done.returncode == 65
    assert done.stderr.count("\n") == 1
    assert "Model not quantized" in done.stderr
    assert open_bundle(bundle).edgetpu_model is None


def test_without_a_compiler_one_line_says_how_to_add_the_model_later(run_fieldfare, bundle):
    done = run_fieldfare("compile", bundle, env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert "fieldfare bundle add-edgetpu BUNDLE model_edgetpu.tflite" in done.stderr


# bundle add-edgetpu


def test_a_model_compiled_elsewhere_is_added_with_its_log(run_fieldfare, bundle, models, shared):
    twin, log = models / f"{NAME}_edgetpu.tflite", shared / "edgetpu" / "compiler_stdout_whole.txt"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, twin, "--log", log)
    assert (done.returncode, done.stderr) == (0, "")
    edgetpu = open_bundle(bundle).manifest.edgetpu
    assert (edgetpu.compiler_version, edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == ("15.0.340273435", 214, 0)
    assert edgetpu.off_chip_bytes == 15791555
    verified = run_fieldfare("bundle", "verify", bundle)
    assert verified.returncode == 0, verified.stderr


def test_without_a_log_what_only_the_compiler_knows_stays_open(run_fieldfare, bundle, models, tmp_path):
    out = tmp_path / "new.fieldfare"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "give its words with --log" in done.stdout
    edgetpu = open_bundle(out).manifest.edgetpu
    assert (edgetpu.log, edgetpu.compiler_version, edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == (
        None,
    ) * 3 + (0,)
    assert "0 on the CPU (compiler not known)" in run_fieldfare("bundle", "show", out).stdout
    assert open_bundle(bundle).edgetpu_model is None


def test_a_second_one_replaces_the_first_only_when_told(run_fieldfare, bundle, models, shared):
    words = ("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite")
    log = shared / "edgetpu" / "compiler_stdout_whole.txt"
    assert run_fieldfare(*words, "--log", log).returncode == 0
    again = run_fieldfare(*words)
    assert again.returncode == 73
    assert "replace it with --overwrite" in again.stderr
    assert run_fieldfare(*words, "--overwrite").returncode == 0
    assert "compiler.log" not in open_bundle(bundle).contents


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"{NAME}.tflite", "no operator for the Edge TPU"),
        ("mobilenet_v1_0.5_160_quant_edgetpu.tflite", "compiled from another model"),
        ("cat.bmp", "not a TFLite model"),
    ],
)
def test_what_is_not_this_bundles_model_compiled_is_refused(run_fieldfare, bundle, models, name, reason):
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / name)
    assert done.returncode == 65
    assert reason in done.stderr
    assert open_bundle(bundle).edgetpu_model is None


def test_a_log_of_something_else_is_refused(run_fieldfare, bundle, models):
    twin = models / f"{NAME}_edgetpu.tflite"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, twin, "--log", models / "imagenet_labels.txt")
    assert done.returncode == 65
    assert "printed nothing that is known" in done.stderr


def test_a_log_that_tells_of_operators_on_the_cpu_makes_it_partial(run_fieldfare, bundle, models, shared):
    words = ("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite")
    log = ("--log", shared / "edgetpu" / "compiler_log_mixed.log")
    refused = run_fieldfare(*words, *log)
    assert refused.returncode == 65
    assert "6 operators stay on the CPU (CONCATENATION, RESIZE_NEAREST_NEIGHBOR" in refused.stderr
    allowed = run_fieldfare(*words, *log, "--allow-partial")
    assert allowed.returncode == 0
    assert "warning: the compiler's words tell of 6 operators on the CPU, its file of 0" in allowed.stderr


def test_the_stand_in_makes_twins_that_are_known_as_compiled():
    """So that the tests of training can use it for models that Coral never compiled."""
    model, count = twin_of(tflite(operators=("RELU", "ADD")))
    assert (model[4:8], count) == (b"TFL3", 2)
