"""The command line as its users meet it: results, one-line errors, exit statuses."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from software_tpu import SoftwareTpu

from edge.bundle.store import Bundle, open_bundle
from edge.fakes.software_edgetpu import Script

pytestmark = pytest.mark.process

Run = Callable[..., subprocess.CompletedProcess[str]]
REAL_MODELS = {
    "tf2_mobilenet_v2_1.0_224_ptq": "imagenet_labels.txt",
    "mobilenet_v2_1.0_224_quant": "imagenet_labels.txt",
    "mobilenet_v2_1.0_224_inat_bird_quant": "inat_bird_labels.txt",
}
IMAGENET = {"parrot.jpg": "macaw", "cat.bmp": "Egyptian cat", "bird.bmp": "chickadee", "hot_dog.jpg": "hotdog"}
BIRDS = {
    "parrot.jpg": "Scarlet Macaw",
    "owl.jpg": "Athene cunicularia",
    "bird.bmp": "Poecile atricapillus",
    "cat.bmp": "background",
}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error message; there is exactly one line of ours and no traceback."""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("fieldfare: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def usage_error(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("model", REAL_MODELS)
def test_real_models_are_imported_verified_and_right(
    run_fieldfare: Run, shared: Path, tmp_path: Path, model: str
) -> None:
    models, out = shared / "models", tmp_path / "bundle"
    words = ["--labels", models / REAL_MODELS[model], "--resize", "squash", "--out", out]
    assert run_fieldfare("bundle", "import", models / f"{model}.tflite", *words).returncode == 0
    assert "is sound" in run_fieldfare("bundle", "verify", out).stdout

    expected = BIRDS if "bird" in model else IMAGENET
    done = run_fieldfare("classify", out, *(models / name for name in expected), "--json")
    classified = {Path(r["image"]).name: r for r in map(json.loads, done.stdout.splitlines())}
    assert {n: expected[n] in classified[n]["label"] for n in expected} == dict.fromkeys(expected, True)

    pictures = tmp_path / "camera"
    pictures.mkdir()
    for name in expected:
        shutil.copy(models / name, pictures / name)
    done = run_fieldfare("run", "--bundle", out, "--source", pictures, "--json")
    assert done.returncode == 0
    replayed = {r["image"]: r["label"] for r in map(json.loads, done.stdout.splitlines())}
    assert replayed == {name: classified[name]["label"] for name in expected}


def test_help_names_every_command(run_fieldfare: Run) -> None:
    text = run_fieldfare("--help").stdout
    for word in ("bench", "bundle", "classify", "doctor", "run", "status", "train", "Exit statuses"):
        assert word in text


@pytest.mark.parametrize("words", [["bundle", "show"], ["bundle", "verify"], ["bundle", "pack"], ["bundle", "import"]])
def test_every_command_has_an_example(run_fieldfare: Run, words: list[str]) -> None:
    assert "Example: fieldfare " + " ".join(words) in run_fieldfare(*words, "--help").stdout


def test_a_bundle_packs_opens_and_classifies_alike(
    run_fieldfare: Run, sealed: Bundle, shared: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "stick.fieldfare"
    assert run_fieldfare("bundle", "pack", sealed.path, "--out", packed).returncode == 0
    parrot = shared / "models" / "parrot.jpg"
    both = [run_fieldfare("classify", path, parrot, "--json") for path in (sealed.path, packed)]
    labels = [json.loads(done.stdout)["label"] for done in both]
    assert labels == ["macaw", "macaw"]
    again = run_fieldfare("bundle", "pack", sealed.path, "--out", packed)
    assert again.returncode == 73
    assert "--overwrite" in one_line(again)
    assert "must end in .fieldfare" in usage_error(run_fieldfare("bundle", "pack", sealed.path, "--out", "x.zip"))


def test_a_packed_bundle_is_not_packed_onto_itself(run_fieldfare: Run, sealed: Bundle, tmp_path: Path) -> None:
    packed, other = tmp_path / "birds.fieldfare", tmp_path / "link.fieldfare"
    assert run_fieldfare("bundle", "pack", sealed.path, "--out", packed).returncode == 0
    other.symlink_to(packed)
    for target in (packed, other):
        answer = run_fieldfare("bundle", "pack", packed, "--out", target, "--overwrite")
        assert answer.returncode == 73
        assert "which is read: choose another name" in answer.stderr


def test_show_tells_what_is_inside(run_fieldfare: Run, sealed: Bundle) -> None:
    text = run_fieldfare("bundle", "show", sealed.path).stdout
    for word in (sealed.bundle_id, "128x128 rgb uint8, squash", "1001", "no compiled model", "not measured"):
        assert word in text
    record = json.loads(run_fieldfare("bundle", "show", sealed.path, "--json").stdout)
    assert record["id"] == sealed.bundle_id
    assert record["manifest"]["schema"] == 1


def test_import_asks_in_a_script_by_naming_the_option(run_fieldfare: Run, small_model: Path, tmp_path: Path) -> None:
    done = run_fieldfare("bundle", "import", small_model, "--out", tmp_path / "out")
    assert "add --resize squash | crop | letterbox" in usage_error(done)
    assert not (tmp_path / "out").exists()


def test_import_asks_on_a_terminal(small_model: Path, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "edge", "bundle", "import", str(small_model), "--out", str(tmp_path / "out")]
    child = subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(controller, b"crop\n")
    _, errors = child.communicate(timeout=120)
    os.close(controller)
    os.close(terminal)
    assert child.returncode == 0, errors
    assert "The file does not show how pictures of another shape were fitted" in errors
    assert open_bundle(tmp_path / "out").manifest.preprocessing.resize == "crop"


def test_classify_goes_on_after_a_bad_picture(run_fieldfare: Run, sealed: Bundle, shared: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 damaged")
    good = shared / "models" / "parrot.jpg"
    done = run_fieldfare("classify", sealed.path, bad, tmp_path / "none.jpg", good, "--json")
    assert done.returncode == 66
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["macaw"]
    assert "bad.jpg" in done.stderr
    assert "none.jpg: no such file" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["run", "--bundle", "nowhere", "--source", "synthetic"], 66, "nowhere: No such file"),
        (["run", "--bundle", "{bundle}", "--source", "nowhere"], 66, "'nowhere' is not there"),
        (["run", "--bundle", "{bundle}", "--source", "/dev/video93"], 69, "plug it in"),
        (["run", "--bundle", "{bundle}", "--source", "synthetic", "--threads", "0"], 78, "engine.threads"),
        (["run", "--bundle", "{bundle}", "--source", "synthetic", "--size", "big"], 78, "WIDTHxHEIGHT"),
        (["run", "--bundle", "{bundle}", "--source", "synthetic", "--device", "gpu"], 78, "engine.device"),
        (["run", "--config", "nowhere.toml"], 66, "nowhere.toml: cannot read"),
        (["run", "--config", "{broken}"], 78, "unknown key 'suorce': did you mean 'source'?"),
        (["classify", "{damaged}", "x.jpg"], 65, "is damaged"),
        (["bundle", "verify", "{damaged}"], 65, "is damaged"),
        (["bundle", "import", "nowhere.tflite", "--out", "{tmp}/o"], 66, "cannot read"),
        (["bundle", "import", "{model}", "--labels", "no.txt", "--resize", "crop", "--out", "{tmp}/o"], 66, "no.txt"),
        (["bundle", "import", "{model}", "--resize", "crop", "--out", "{tmp}"], 73, "exists"),
    ],
)
def test_mistakes_are_one_line_and_a_status(
    run_fieldfare: Run,
    bundle_copy: Path,
    sealed: Bundle,
    small_model: Path,
    tmp_path: Path,
    words: list[str],
    status: int,
    message: str,
) -> None:
    model = bytearray((bundle_copy / "model.tflite").read_bytes())
    model[1000] ^= 1
    (bundle_copy / "model.tflite").write_bytes(model)
    broken = tmp_path / "broken.toml"
    broken.write_text('bundle = "b"\n[camera]\nsuorce = "x"\n')
    places = {
        "bundle": sealed.path,
        "damaged": bundle_copy,
        "broken": broken,
        "model": small_model,
        "tmp": tmp_path,
    }
    done = run_fieldfare(*(word.format(**places) for word in words))
    assert done.returncode == status
    assert message in one_line(done)


def test_several_wrong_settings_are_a_line_each(run_fieldfare: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('bundle = "b"\n[camera]\nwidth = 7\n"sou\\u001brce" = "x"\n[mqtt]\nhost = "b"\n')
    done = run_fieldfare("run", "--config", broken)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        f"fieldfare: {broken}: 3 settings are wrong:",
        "  camera.width = 7: must be a whole number from 32 to 8192",
        r"  [camera] unknown key 'sou\x1brce': did you mean 'source'?",
        '  [mqtt] needs events to be kept: add events.store = FILE, such as "/var/lib/fieldfare/events.db"',
    ]


def test_labels_that_the_bundle_lacks_end_the_service_at_once(
    run_fieldfare: Run, sealed: Bundle, tmp_path: Path
) -> None:
    config = tmp_path / "labels.toml"
    config.write_text(f'bundle = "{sealed.path}"\n[camera]\nsource = "synthetic"\n[decision]\nbackground = ["zzz"]\n')
    done = run_fieldfare("run", "--config", config, "--service")
    assert done.returncode == 78
    assert "decision.background: 'zzz': the bundle has no such label" in done.stderr.splitlines()[-1]
    with config.open("a") as file:
        file.write("thresholds = { yyy = 0.5, xxx = 0.5 }\n")
    done = run_fieldfare("run", "--config", config, "--service")
    assert done.returncode == 78
    heading, *faults = done.stderr.splitlines()[-4:]
    assert heading == "fieldfare: 3 labels in the settings are not in the bundle:"
    assert [fault.partition(": the bundle has no such label")[0] for fault in faults] == [
        "  decision.thresholds: 'yyy'",
        "  decision.thresholds: 'xxx'",
        "  decision.background: 'zzz'",
    ]


def test_a_reader_that_leaves_early_is_no_error(sealed: Bundle) -> None:
    command = f"{sys.executable} -m edge run --bundle {sealed.path} --source synthetic --flat-out --json | head -n 2"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_unknown_is_said_below_the_threshold(run_fieldfare: Run, sealed: Bundle, shared: Path) -> None:
    parrot = shared / "models" / "parrot.jpg"
    done = run_fieldfare("classify", sealed.path, parrot, "--threshold", "0.99", "--json")
    result = json.loads(done.stdout)
    assert result["label"] == "unknown"
    assert result["top"][0]["label"] == "macaw"


@pytest.mark.parametrize("words", [["run", "--source", "synthetic", "--frames", "3"], ["classify"]])
@pytest.mark.parametrize("json_lines", [True, False])
def test_a_full_standard_output_is_one_line(sealed: Bundle, shared: Path, words: list[str], json_lines: bool) -> None:
    parrot = str(shared / "models" / "parrot.jpg")
    command = [sys.executable, "-m", "edge", words[0]]
    command += ["--bundle", str(sealed.path), *words[1:]] if words[0] == "run" else [str(sealed.path), parrot]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, *(["--json"] if json_lines else [])], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 74
    assert "Exception" not in done.stderr
    assert "standard output: cannot write: No space left" in one_line(done)


@pytest.mark.parametrize("words", [["--help"], ["events", "--help"], ["--version"], ["bundle", "show", "{bundle}"]])
def test_a_full_standard_output_is_named_by_every_command(sealed: Bundle, words: list[str]) -> None:
    command = [sys.executable, "-m", "edge", *(word.format(bundle=sealed.path) for word in words)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert one_line(done) == "fieldfare: standard output: cannot write: No space left on device"


def with_stdout_closed(*words: object) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", 'exec "$@" >&-', "-", sys.executable, "-m", "edge", *map(str, words)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--bundle", "{bundle}", "--source", "synthetic", "--frames", "3"],
        ["run", "--bundle", "{bundle}", "--source", "synthetic", "--frames", "3", "--json"],
        ["classify", "{bundle}", "{parrot}"],
        ["classify", "{bundle}", "{parrot}", "--json"],
        ["bundle", "show", "{bundle}"],
    ],
)
def test_a_standard_output_that_is_closed_is_one_line(sealed: Bundle, shared: Path, words: list[str]) -> None:
    parrot = shared / "models" / "parrot.jpg"
    done = with_stdout_closed(*(word.format(bundle=sealed.path, parrot=parrot) for word in words))
    assert done.returncode == 74
    assert one_line(done) == "fieldfare: standard output: closed"


def test_without_results_on_it_standard_output_may_be_closed(sealed: Bundle, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    words = ["--source", "synthetic", "--frames", "3", "--quiet", "--jsonl", results]
    done = with_stdout_closed("run", "--bundle", sealed.path, *words)
    assert done.returncode == 0, done.stderr
    assert len(results.read_text().splitlines()) == 3


def test_file_names_in_any_bytes_are_carried(run_fieldfare: Run, sealed: Bundle, shared: Path, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "pictures")
    (tmp_path / "pictures").mkdir()
    shutil.copy(os.fsencode(shared / "models" / "parrot.jpg"), folder + b"/\xe9\n1.jpg")
    for words in (["run", "--bundle", sealed.path, "--source"], ["classify", sealed.path]):
        done = run_fieldfare(*words, tmp_path / "pictures", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["label"] == "macaw"


def test_nothing_of_the_current_folder_is_imported(sealed: Bundle, small_model: Path, tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('imported from the current folder')")
    fieldfare = Path(sys.executable).with_name("fieldfare")
    words = ["bundle", "import", str(small_model), "--resize", "crop", "--out", str(tmp_path / "out")]
    done = subprocess.run([fieldfare, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_what_is_no_file_is_no_bundle(run_fieldfare: Run, name: str) -> None:
    done = run_fieldfare("bundle", "show", name)
    assert done.returncode == 65
    assert "neither a folder nor a plain file" in one_line(done)


def test_packing_the_folder_one_is_in(run_fieldfare: Run, bundle_copy: Path) -> None:
    assert run_fieldfare("bundle", "pack", ".", cwd=bundle_copy).returncode == 0
    assert open_bundle(bundle_copy.parent / "birds.fieldfare").bundle_id


def test_a_folder_without_pictures_is_said(run_fieldfare: Run, sealed: Bundle, tmp_path: Path) -> None:
    done = run_fieldfare("classify", sealed.path, tmp_path)
    assert done.returncode == 66
    assert "no pictures there" in one_line(done)


def test_classify_goes_on_after_a_folder_without_pictures(
    run_fieldfare: Run, sealed: Bundle, shared: Path, tmp_path: Path
) -> None:
    done = run_fieldfare("classify", sealed.path, tmp_path, shared / "models" / "parrot.jpg", "--json")
    assert done.returncode == 66
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["macaw"]
    assert one_line(done) == f"fieldfare: {tmp_path}: no pictures there (JPEG, PNG, BMP, WebP, TIFF)"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(mode="segfault", at="load"), "died of SIGSEGV"),
        (Script(mode="abort"), "died of SIGABRT"),
        (Script(mode="refuse"), "no Edge TPU"),
    ],
    ids=["segfaults", "aborts", "refuses"],
)
def test_an_edge_tpu_that_takes_its_process_down_does_not_take_ours(
    run_fieldfare: Run, software_tpu: SoftwareTpu, shared: Path, tmp_path: Path, script: Script, words: str
) -> None:
    software_tpu.does(script)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libedgetpu.so.1").symlink_to(software_tpu.library)
    places = {**os.environ, **software_tpu.environment, "LD_LIBRARY_PATH": str(tmp_path / "lib")}
    done = run_fieldfare("classify", software_tpu.bundle, shared / "models/parrot.jpg", "--json", env=places)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "cpu" in result["engine"]
    assert words in result["fallback"]
    assert words in done.stderr
    done = run_fieldfare("bench", "--bundle", software_tpu.bundle, "--seconds", "1", "--json", env=places)
    assert done.returncode == 0, done.stderr
    assert words in json.loads(done.stdout)["fallback"]
