"""check-edgetpu, compile and bundle add-edgetpu as their users run them. The compiler is a stand-in."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import recorded_compiler
from handmade_graphs import tflite
from recorded_compiler import STOPPED, is_at_work, retold
from standin_twins import packed, stopped_twin_of, twin_of, unpacked

from edge.bundle.store import open_bundle
from edge.bundle.write import save, seal
from edge.edgetpu.twin import read_compiled
from edge.importing.importer import Told, import_model
from trainer.edgetpu.bundling import edgetpu_part
from trainer.edgetpu.tflite_graph import read_graph

Run = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = shlex.join([sys.executable, str(Path(recorded_compiler.__file__))])
NAME = "mobilenet_v1_0.25_128_quant"


@pytest.fixture(scope="module")
def models(shared: Path) -> Path:
    return shared / "models"


@pytest.fixture(scope="module")
def finished(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one of Coral's models, for the CPU."""
    out = tmp_path_factory.mktemp("finished") / "birds"
    save(import_model(models / f"{NAME}.tflite", out, Told(resize="squash"), lambda _: pytest.fail("asked")))
    return out


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "birds"))


@pytest.fixture
def whole(shared: Path, tmp_path: Path) -> Path:
    """The compiler's output for a model that it mapped whole, with the number of operators of this one."""
    words = (shared / "edgetpu" / "compiler_stdout_whole.txt").read_text()
    (tmp_path / "words.txt").write_text(retold(words, 31))
    return tmp_path / "words.txt"


@pytest.fixture
def compile_(run_fieldfare: Run) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run fieldfare compile with the stand-in, which behaves as the keywords describe."""

    def run(*words: object, **told: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "RECORDED_COMPILER": json.dumps(told, default=str)}
        return run_fieldfare("compile", *words, "--compiler", COMMAND, env=environment)

    return run


# check-edgetpu


def test_a_model_that_maps_as_a_whole_is_status_0(run_fieldfare: Run, models: Path) -> None:
    done = run_fieldfare("check-edgetpu", models / f"{NAME}.tflite")
    assert (done.returncode, done.stderr) == (0, "")
    assert "maps as a whole, 31 operators (predicted without the compiler)" in done.stdout
    assert "0.46 MiB, fit the on-chip memory" in done.stdout


def test_a_model_that_maps_in_part_is_status_1_and_says_where_and_why(run_fieldfare: Run, models: Path) -> None:
    done = run_fieldfare("check-edgetpu", models / "deeplabv3_mnv2_dm05_pascal_quant.tflite")
    assert done.returncode == 1
    assert "maps in part, 64 of 72 operators" in done.stdout
    assert "splits at   operator 64, RESIZE_BILINEAR" in done.stdout
    assert "More than one subgraph is not supported" in done.stdout


def test_a_compiled_model_tells_what_is_left_on_the_cpu(run_fieldfare: Run, models: Path) -> None:
    done = run_fieldfare("check-edgetpu", models / "movenet_single_pose_lightning_ptq_edgetpu.tflite")
    assert done.returncode == 1
    assert "compiled, one part for the Edge TPU, 59 operators are left on the CPU" in done.stdout


def test_the_verdict_as_json(run_fieldfare: Run, models: Path) -> None:
    done = run_fieldfare("check-edgetpu", models / "model_invoking_error.tflite", "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["verdict"]["outcome"], answer["verdict"]["refusal"]) == ("refused", "Model not quantized")
    assert answer["compiled_twin"] is None


@pytest.mark.parametrize(("name", "status"), [("cat.bmp", 65), ("imagenet_labels.txt", 65), ("nothing-here", 66)])
def test_what_is_no_model_is_an_error_in_one_line(run_fieldfare: Run, models: Path, name: str, status: int) -> None:
    done = run_fieldfare("check-edgetpu", models / name)
    assert done.returncode == status
    assert done.stderr.startswith(f"fieldfare: {models / name}: ")
    assert done.stderr.count("\n") == 1


def test_nothing_heavy_is_loaded_with_the_commands() -> None:
    """Neither TensorFlow, nor a runtime, nor NumPy before a command is called; TensorFlow never."""
    code = (
        "import sys, trainer.cli.edgetpu; heavy = {'tensorflow', 'numpy', 'ai_edge_litert', 'flatbuffers'};"
        "print(sorted(heavy & set(sys.modules))); import trainer.edgetpu.compiling, trainer.edgetpu.bundling;"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"


# compile


def test_a_bundle_gets_its_compiled_model_with_what_the_compiler_said(
    compile_: Run, run_fieldfare: Run, bundle: Path, models: Path, whole: Path
) -> None:
    before = open_bundle(bundle)
    done = compile_(bundle, output=models / f"{NAME}_edgetpu.tflite", say=whole)
    assert (done.returncode, done.stderr) == (0, "")
    assert "31 on the Edge TPU, 0 on the CPU" in done.stdout
    assert "0.54 MiB on the chip, 0.00 MiB streamed" in done.stdout, "read from the file, not from the words"
    after = open_bundle(bundle)
    assert after.edgetpu_model == (models / f"{NAME}_edgetpu.tflite").read_bytes()
    assert after.model == before.model
    assert after.manifest.golden == before.manifest.golden
    assert after.manifest.edgetpu.compiler_version == "15.0.340273435"
    assert after.contents["compiler.log"].decode() == whole.read_text()
    assert "31 operators on the TPU, 0 on the CPU" in run_fieldfare("bundle", "show", bundle).stdout
    assert run_fieldfare("check-edgetpu", bundle).returncode == 0
    again = compile_(bundle)
    assert again.returncode == 73
    assert "--overwrite" in again.stderr
    assert compile_(bundle, "--overwrite").returncode == 0


def test_a_bundle_may_be_left_as_it_is(compile_: Run, bundle: Path, tmp_path: Path) -> None:
    before = open_bundle(bundle).bundle_id
    done = compile_(bundle, "--out", tmp_path / "new.fieldfare", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bundle"] == open_bundle(tmp_path / "new.fieldfare").bundle_id
    assert open_bundle(bundle).bundle_id == before


def test_a_model_file_gets_a_twin_beside_it(compile_: Run, tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(tflite())
    done = compile_(tmp_path / "small.tflite")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.tflite",
        "small_edgetpu.log",
        "small_edgetpu.tflite",
    ]
    assert compile_(tmp_path / "small.tflite").returncode == 73


def test_a_partial_mapping_is_refused_unless_it_is_allowed(compile_: Run, bundle: Path, shared: Path) -> None:
    words = retold((shared / "edgetpu" / "compiler_stdout_partial.txt").read_text(), 28, 3)
    done = compile_(bundle, say=words)
    assert done.returncode == 65
    assert "3 of 31 operators would stay on the CPU (the compiler does not name them)" in done.stderr
    assert "--allow-partial" in done.stderr
    assert open_bundle(bundle).edgetpu_model is None
    assert compile_(bundle, "--allow-partial", say=words).returncode == 0


def test_a_refusal_leaves_the_bundle_as_it_is(compile_: Run, bundle: Path, shared: Path) -> None:
    done = compile_(bundle, say=shared / "edgetpu" / "compiler_stdout_refused.txt", output="none", status=1)
    assert done.returncode == 65
    assert done.stderr.count("\n") == 1
    assert "Model not quantized" in done.stderr
    assert open_bundle(bundle).edgetpu_model is None


def test_without_a_compiler_one_line_says_how_to_add_the_model_later(run_fieldfare: Run, bundle: Path) -> None:
    done = run_fieldfare("compile", bundle, env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert f"fieldfare bundle add-edgetpu {bundle} model_edgetpu.tflite --log words.txt" in done.stderr


def test_a_model_that_is_no_bundle_is_not_told_to_be_added_to_one(run_fieldfare: Run, tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(tflite())
    done = run_fieldfare("compile", tmp_path / "small.tflite", env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 69
    assert "add-edgetpu" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_compiler_too_and_leaves_no_files(
    bundle: Path, tmp_path: Path, number: signal.Signals
) -> None:
    scratch, child = tmp_path / "scratch", tmp_path / "child"
    scratch.mkdir()
    told = json.dumps({"status": "hang", "seen": str(child)})
    with subprocess.Popen(
        [sys.executable, "-m", "edge", "compile", str(bundle), "--compiler", COMMAND],
        env={**os.environ, "RECORDED_COMPILER": told, "TMPDIR": str(scratch)},
    ) as process:
        compiler = wait_for(lambda: child.exists() and child.read_text().strip().isdigit() and int(child.read_text()))
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert list(scratch.iterdir()) == []
    wait_for(lambda: not is_at_work(compiler))


def wait_for(true: Callable[[], object]) -> Any:
    """Call `true` until its result is true, for at most half a minute. Returns that result."""
    for _ in range(600):
        if answer := true():
            return answer
        time.sleep(0.05)
    return pytest.fail("waited half a minute in vain")


# bundle add-edgetpu


def test_a_model_compiled_elsewhere_is_added_with_its_log(
    run_fieldfare: Run, bundle: Path, models: Path, whole: Path
) -> None:
    twin = models / f"{NAME}_edgetpu.tflite"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, twin, "--log", whole)
    assert (done.returncode, done.stderr) == (0, "")
    edgetpu = open_bundle(bundle).manifest.edgetpu
    assert (edgetpu.compiler_version, edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == ("15.0.340273435", 31, 0)
    assert (edgetpu.on_chip_bytes, edgetpu.off_chip_bytes) == (566_912, 0), "of the file: the words are another model's"
    verified = run_fieldfare("bundle", "verify", bundle)
    assert verified.returncode == 0, verified.stderr


def test_without_a_log_what_only_the_compiler_knows_stays_open(
    run_fieldfare: Run, bundle: Path, models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new.fieldfare"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "give the compiler's output with --log" in done.stdout
    edgetpu = open_bundle(out).manifest.edgetpu
    assert (edgetpu.log, edgetpu.compiler_version, edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == (
        None,
    ) * 3 + (0,)
    assert (edgetpu.on_chip_bytes, edgetpu.off_chip_bytes) == (566_912, 0), "the file itself shows that"
    assert (
        "0 on the CPU (compiler not known, 0.5 MiB on chip, 0.0 MiB streamed)"
        in run_fieldfare("bundle", "show", out).stdout
    )
    assert open_bundle(bundle).edgetpu_model is None


def test_a_second_one_replaces_the_first_only_when_told(
    run_fieldfare: Run, bundle: Path, models: Path, whole: Path
) -> None:
    words = ("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite")
    assert run_fieldfare(*words, "--log", whole).returncode == 0
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
def test_what_is_not_this_bundles_model_compiled_is_refused(
    run_fieldfare: Run, bundle: Path, models: Path, name: str, reason: str
) -> None:
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / name)
    assert done.returncode == 65
    assert reason in done.stderr
    assert open_bundle(bundle).edgetpu_model is None


def test_a_compiled_model_that_was_cut_short_is_refused(
    run_fieldfare: Run, bundle: Path, models: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "model_edgetpu.tflite"
    cut.write_bytes((models / f"{NAME}_edgetpu.tflite").read_bytes()[:-30_000])
    done = run_fieldfare("bundle", "add-edgetpu", bundle, cut)
    assert done.returncode == 65
    assert done.stderr.startswith(f"fieldfare: {cut}: the compiled model cannot be read: damaged .tflite: ")
    assert done.stderr.endswith("; copy it again\n")


def test_a_log_of_another_models_compilation_is_refused(
    run_fieldfare: Run, bundle: Path, models: Path, shared: Path
) -> None:
    log = shared / "edgetpu" / "compiler_stdout_whole.txt"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite", "--log", log)
    assert done.returncode == 65
    assert f"{log}: the compiler reports 214 operators, the model has 31" in done.stderr
    assert open_bundle(bundle).edgetpu_model is None


def test_a_log_without_a_table_does_not_say_which_operators_stay(
    run_fieldfare: Run, bundle: Path, models: Path, shared: Path, tmp_path: Path
) -> None:
    log = tmp_path / "words.txt"
    log.write_text(retold((shared / "edgetpu" / "compiler_stdout_partial.txt").read_text(), 28, 3))
    done = run_fieldfare("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite", "--log", log)
    assert done.returncode == 65
    assert "3 operators stay on the CPU (the compiler does not name them)" in done.stderr


def test_a_log_of_something_else_is_refused(run_fieldfare: Run, bundle: Path, models: Path) -> None:
    twin = models / f"{NAME}_edgetpu.tflite"
    done = run_fieldfare("bundle", "add-edgetpu", bundle, twin, "--log", models / "imagenet_labels.txt")
    assert done.returncode == 65
    assert "the compiler's output is not recognized" in done.stderr


def test_a_log_that_tells_of_operators_on_the_cpu_makes_it_partial(
    run_fieldfare: Run, bundle: Path, models: Path, shared: Path, tmp_path: Path
) -> None:
    words = ("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite")
    mixed = (shared / "edgetpu" / "compiler_log_mixed.log").read_text()  # of 25 operators; the model has 31
    (tmp_path / "mixed.log").write_text(re.sub(r"(CONV_2D +)11 ", r"\g<1>17 ", mixed))
    log = ("--log", tmp_path / "mixed.log")
    refused = run_fieldfare(*words, *log)
    assert refused.returncode == 65
    assert "6 operators stay on the CPU (CONCATENATION, RESIZE_NEAREST_NEIGHBOR" in refused.stderr
    allowed = run_fieldfare(*words, *log, "--allow-partial")
    assert allowed.returncode == 0
    assert "warning: the compiler reports 6 operators on the CPU, its file has 0" in allowed.stderr


def test_a_placeholder_is_no_compiled_model(run_fieldfare: Run, bundle: Path, models: Path, tmp_path: Path) -> None:
    """Such as a program writes that only takes the compiler's place."""
    placeholder = tmp_path / "placeholder_edgetpu.tflite"
    placeholder.write_bytes(twin_of((models / f"{NAME}.tflite").read_bytes(), empty=True)[0])
    before = open_bundle(bundle).bundle_id
    for words in (("bundle", "add-edgetpu", bundle, placeholder), ("check-edgetpu", placeholder)):
        done = run_fieldfare(*words)
        assert (done.returncode, done.stdout) == (65, "")
        assert "its operator for the Edge TPU is empty: a placeholder" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert open_bundle(bundle).bundle_id == before


def test_the_check_shows_what_a_compiled_model_holds(run_fieldfare: Run, bundle: Path, models: Path) -> None:
    twin = models / f"{NAME}_edgetpu.tflite"
    done = run_fieldfare("check-edgetpu", twin)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line[:11].strip(): line[12:] for line in done.stdout.splitlines()[-4:]}
    assert lines == {
        "runtime": "of the Edge TPU, 12 or newer",
        "memory": "parameters: 0.54 MiB on the chip, 0.00 MiB streamed at each inference",
        "input": "input 128x128x3 (scale 0.0078125, zero point 128, counted unsigned)",
        "output": "MobilenetV1/Predictions/Reshape_1 1x1x1001 (scale 0.00390625, zero point 0, counted unsigned)",
    }
    assert run_fieldfare("bundle", "add-edgetpu", bundle, twin).returncode == 0
    package = json.loads(run_fieldfare("check-edgetpu", bundle, "--json").stdout)["package"]
    assert (package["min_runtime"], package["on_chip_bytes"], package["streamed_bytes"]) == (12, 566_912, 0)
    assert package["inputs"][0]["name"] == "input"


def seal_with(bundle: Path, model: bytes, whole: bytes) -> None:
    """Put a compiled model into a bundle as another program might: add-edgetpu would not. whole: one to describe."""
    opened = open_bundle(bundle)
    part, files = edgetpu_part(model, read_compiled(whole), None, None)
    manifest = msgspec.structs.replace(opened.manifest, edgetpu=part)
    kept = {name: data for name, data in opened.contents.items() if not name.startswith("manifest.")}
    save(seal(bundle, manifest, kept | files), overwrite=True)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("another model's", "compiled model: input 1x160x160x3 uint8"),
        ("a placeholder", "its operator for the Edge TPU is empty: a placeholder"),
        ("damaged", "are not in its package: compiled from another model, or damaged"),
    ],
)
def test_the_checks_refuse_a_bundle_with_a_twin_that_is_none(
    run_fieldfare: Run, bundle: Path, models: Path, kind: str, reason: str
) -> None:
    own = (models / f"{NAME}_edgetpu.tflite").read_bytes()
    twins = {
        "another model's": (models / "mobilenet_v1_0.5_160_quant_edgetpu.tflite").read_bytes(),
        "a placeholder": twin_of((models / f"{NAME}.tflite").read_bytes(), empty=True)[0],
        "damaged": own[: len(own) // 2] + bytes(64) + own[len(own) // 2 + 64 :],
    }
    seal_with(bundle, twins[kind], own)
    for words in (("check-edgetpu", bundle), ("bundle", "verify", bundle)):
        done = run_fieldfare(*words)
        assert (done.returncode, done.stdout) == (65, "")
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_verify_says_that_a_compiled_model_is_the_twin(run_fieldfare: Run, bundle: Path, models: Path) -> None:
    assert run_fieldfare("bundle", "add-edgetpu", bundle, models / f"{NAME}_edgetpu.tflite").returncode == 0
    done = run_fieldfare("bundle", "verify", bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the compiled model is its twin, for the Edge TPU runtime 12 or newer\n" in done.stdout
    assert json.loads(run_fieldfare("bundle", "verify", bundle, "--json").stdout)["compiled"]["min_runtime"] == 12


def test_the_stand_in_makes_twins_that_are_known_as_compiled() -> None:
    """So that the tests of training can use it for models that Coral never compiled."""
    model, count = twin_of(tflite(operators=("RELU", "ADD")))
    assert (model[4:8], count) == (b"TFL3", 2)


# Teachable: the last layer stays on the CPU

FEATURES = "MobilenetV1/Logits/AvgPool_1a/AvgPool"
LAST = "last layer  runs on the CPU, so that the bundle can be taught"


@pytest.fixture
def stopped(models: Path, tmp_path: Path) -> Path:
    """The bundle's model as `edgetpu_compiler -i FEATURES` leaves it."""
    path = tmp_path / "model_edgetpu.tflite"
    path.write_bytes(stopped_twin_of((models / f"{NAME}.tflite").read_bytes(), FEATURES)[0])
    return path


def test_compile_leaves_the_last_layer_on_the_cpu_if_that_is_wanted(
    compile_: Run, run_fieldfare: Run, bundle: Path
) -> None:
    done = compile_(bundle, "--teachable")
    assert (done.returncode, done.stderr) == (0, "")
    assert "28 on the Edge TPU, 3 on the CPU" in done.stdout
    assert LAST in done.stdout
    shown = run_fieldfare("check-edgetpu", bundle, "--json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["package"]["teachable"] is True


def test_teachable_and_allow_partial_exclude_each_other(compile_: Run, bundle: Path) -> None:
    done = compile_(bundle, "--teachable", "--allow-partial")
    assert done.returncode == 2
    assert "--teachable and --allow-partial exclude each other" in done.stderr


def test_one_that_was_compiled_elsewhere_is_added(
    run_fieldfare: Run, bundle: Path, stopped: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text(STOPPED.format(count=31, on_tpu=28, on_cpu=3))
    done = run_fieldfare("bundle", "add-edgetpu", bundle, stopped, "--log", tmp_path / "words.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert "last layer: runs on the CPU, so that the bundle can be taught" in done.stdout
    edgetpu = open_bundle(bundle).manifest.edgetpu
    assert (edgetpu.operators_on_tpu, edgetpu.operators_on_cpu) == (28, 3)
    assert run_fieldfare("bundle", "verify", bundle).returncode == 0


def test_a_log_with_more_on_the_cpu_than_the_last_layer_is_refused(
    run_fieldfare: Run, bundle: Path, stopped: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text(STOPPED.format(count=31, on_tpu=26, on_cpu=5))
    done = run_fieldfare("bundle", "add-edgetpu", bundle, stopped, "--log", tmp_path / "words.txt")
    assert done.returncode == 65
    assert "5 operators stay on the CPU" in done.stderr


def test_one_that_stops_earlier_is_a_partial_mapping(
    run_fieldfare: Run, bundle: Path, models: Path, stopped: Path
) -> None:
    model = (models / f"{NAME}.tflite").read_bytes()
    graph = read_graph(model)
    earlier = graph.tensors[graph.operators[-5].inputs[0]].name
    stopped.write_bytes(stopped_twin_of(model, earlier)[0])
    done = run_fieldfare("bundle", "add-edgetpu", bundle, stopped)
    assert done.returncode == 65
    assert "5 operators stay on the CPU" in done.stderr
    assert "--allow-partial" in done.stderr
    assert run_fieldfare("check-edgetpu", stopped).returncode == 1


def test_another_last_layer_than_the_models_is_refused(
    run_fieldfare: Run, bundle: Path, models: Path, stopped: Path
) -> None:
    made = unpacked(stopped.read_bytes())
    layer = next(one for one in made.subgraphs[0].operators if len(one.inputs) == 3)
    buffer = made.buffers[made.subgraphs[0].tensors[layer.inputs[1]].buffer]
    buffer.data = buffer.data[::-1].copy()
    stopped.write_bytes(packed(made))
    done = run_fieldfare("bundle", "add-edgetpu", bundle, stopped)
    assert done.returncode == 65
    assert "its last layer, which it leaves on the CPU, has other weights than the model's" in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_alone_is_shown_for_what_it_is(run_fieldfare: Run, stopped: Path) -> None:
    done = run_fieldfare("check-edgetpu", stopped)
    assert (done.returncode, done.stderr) == (0, "")
    assert "compiled, one part for the Edge TPU, 3 operators are left on the CPU" in done.stdout
    assert LAST in done.stdout


def test_the_check_shows_by_which_name_the_compiler_stops(run_fieldfare: Run, models: Path) -> None:
    """The second has features of eight names, which the compiler cannot be given."""
    shown = run_fieldfare("check-edgetpu", models / f"{NAME}.tflite").stdout
    assert f"teachable   if the compiler gets --intermediate_tensors {FEATURES}, as from `compile" in shown
    for name in ("tf2_mobilenet_v2_1.0_224_ptq", f"{NAME}_edgetpu", "traffic_model"):
        assert "teachable" not in run_fieldfare("check-edgetpu", models / f"{name}.tflite").stdout
