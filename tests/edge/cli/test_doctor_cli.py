"""`fieldfare doctor` as its users meet it, with libraries and cameras that really hang, abort and crash."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.store import Bundle
from edge.cli.doctor import _case
from edge.config.loading import settings_from
from edge.doctor import cameras, coral, software
from edge.doctor.case import Case
from edge.doctor.findings import Finding

Run = Callable[..., subprocess.CompletedProcess[str]]


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert "Traceback" not in done.stderr
    return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_a_sound_bundle_and_a_camera_that_answers(run_fieldfare: Run, sealed: Bundle, tmp_path: Path) -> None:
    config = tmp_path / "fieldfare.toml"
    config.write_text(
        f'bundle = "{sealed.path}"\n[camera]\nsource = "synthetic"\n[engine]\ndevice = "cpu"\n'
        f'[output]\njsonl = "{tmp_path}/results.jsonl"\n'
    )
    done = run_fieldfare("doctor", "--config", config, "--json")
    seen = findings(done)
    assert {seen[name]["kind"] for name in ("settings", "frame", "bundle", "cpu", "results", "numpy")} == {"ok"}
    assert seen["edgetpu"]["kind"] == "not here"
    problems = [name for name, finding in seen.items() if finding["kind"] == "problem"]
    assert done.returncode == (69 if problems else 0)


def test_text_is_plain_where_there_is_no_terminal(run_fieldfare: Run, bundle_copy: Path) -> None:
    model = bytearray((bundle_copy / "model.tflite").read_bytes())
    model[1000] ^= 1
    (bundle_copy / "model.tflite").write_bytes(model)
    done = run_fieldfare("doctor", "--bundle", bundle_copy)
    assert done.returncode == 69
    assert "\x1b" not in done.stdout
    assert "problem  bundle" in done.stdout
    assert "SHA-256 differs" in " ".join(done.stdout.split())
    assert "repair the problems first" in done.stdout.splitlines()[-1]


def test_wrong_settings_are_said_and_the_rest_goes_on(run_fieldfare: Run, tmp_path: Path) -> None:
    config = tmp_path / "fieldfare.toml"
    config.write_text('bundle = "b"\n[camera]\nsuorce = "x"\n')
    done = run_fieldfare("doctor", "--config", config, "--json")
    seen = findings(done)
    assert done.returncode == 69
    assert "did you mean 'source'?" in seen["settings"]["seen"]
    assert seen["numpy"]["kind"] == "ok"


def test_broken_libraries_do_not_break_the_doctor(
    run_fieldfare: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('libopenblas.so.0: cannot open shared object file')")
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run_fieldfare("doctor", "--json")
    seen = findings(done)
    assert done.returncode == 69
    assert "libopenblas" in seen["numpy"]["seen"]
    assert "opencv-python-headless" in seen["opencv"]["mend"]


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "picamera2 crashed: died of SIGABRT"),
        ("import time; time.sleep(60)", "picamera2 hung: no answer within 1 s"),
        ("raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')", "numpy.dtype size"),
    ],
    ids=["abort", "hang", "wrong NumPy"],
)
def test_a_picamera2_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str) -> None:
    (tmp_path / "picamera2.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = settings_from({"bundle": "birds", "camera": {"source": "picamera2"}})
    limit_s = 1.0 if "hung" in words else 60.0
    finding = only(cameras.pi_cameras(Case(settings=settings, child_s=limit_s)))
    assert finding.kind == "problem"
    assert words in finding.seen


def test_a_picamera2_that_works_lists_its_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picamera2.py").write_text(
        "class Picamera2:\n"
        "    @staticmethod\n"
        "    def global_camera_info():\n"
        "        return [{'Model': 'imx708', 'Num': 0}, {'Model': 'imx219', 'Num': 1}]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert only(cameras.pi_cameras(Case())).seen == "0 imx708, 1 imx219"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("abort();", "crashed: died of SIGABRT"),
        ("raise(SIGSEGV);", "crashed: died of SIGSEGV"),
        ("for (;;) pause();", "hung: no answer within 2 s"),
    ],
    ids=["abort", "segmentation fault", "hang"],
)
def test_a_libedgetpu_that_fails(tmp_path: Path, body: str, words: str) -> None:
    source, library = tmp_path / "bad.c", tmp_path / "libedgetpu.so.1"
    source.write_text(
        "#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        f"__attribute__((constructor)) static void begin(void) {{ {body} }}\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    engine = {"device": "edgetpu", "edgetpu_library": str(library)}
    settings = settings_from({"bundle": "birds", "engine": engine})
    limit_s = 2.0 if "hung" in words else 60.0
    finding = only(coral.engine(Case(settings=settings, delegate_s=limit_s)))
    assert finding.kind == "problem"
    assert words in finding.seen


def test_this_environment_has_no_bad_pair() -> None:
    assert only(software.pairs(replace(Case(), call=lambda _: None))).kind == "ok"


def test_ctrl_c_ends_it_and_its_children_at_once(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    (tmp_path / "picamera2.py").write_text(
        f"import os, time\nos.symlink(str(os.getpid()), {str(note)!r})\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "edge", "doctor"]
    doctor = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background inherit it as ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 60
    while not note.is_symlink() and time.monotonic() < until:
        time.sleep(0.05)
    doctor.send_signal(signal.SIGINT)
    _, err = doctor.communicate(timeout=30)
    assert doctor.returncode == 130
    assert err.splitlines()[-1] == "fieldfare: interrupted"
    assert not Path(f"/proc/{note.readlink()}").exists()


@pytest.mark.parametrize("option", ["--bundle", "--source"])
def test_a_name_that_is_no_utf_8_is_a_finding(option: str, tmp_path: Path) -> None:
    bundle, source = (os.fsdecode(b"x\xff"), None) if option == "--bundle" else (None, os.fsdecode(b"x\xff"))
    case = _case(None, bundle, source)
    assert case.settings_error == r"'x\udcff': not UTF-8: rename it"
    assert (case.settings, case.bundle) == (None, None)


def test_confined_it_opens_nothing_and_says_what_it_left_out(run_fieldfare: Run, tmp_path: Path) -> None:
    config = tmp_path / "fieldfare.toml"
    config.write_text(f'bundle = "{tmp_path}/missing"\n[camera]\nsource = "synthetic"\n')
    done = run_fieldfare("doctor", "--confined", "--config", config, "--json")
    seen = findings(done)
    assert seen["settings"]["kind"] == "ok"
    assert not {"frame", "bundle", "cpu", "numpy", "places"} & set(seen)
    assert seen["confined"]["kind"] == "not here"
    assert "libraries, places, credentials, v4l2" in seen["confined"]["seen"]
    assert done.returncode == 0
