"""What the doctor makes of what it sees: each check against a machine of the test's own."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from software_tpu import SoftwareTpu

from edge.board import Board, power_from_bits
from edge.config.loading import settings_from
from edge.doctor import cameras, coral, machine, probe, setup, software
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.examination import CHECKS, examine
from edge.doctor.findings import Finding, report
from edge.doctor.text import render
from edge.errors import ModelError

FINE = {"libraries": {n: {"version": "1", "error": None} for n in
        ("numpy", "cv2", "ai_edge_litert.interpreter", "tflite_runtime.interpreter")}}  # fmt: skip


class Children:
    """Stands in for the child processes: answers by name, and keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.limits: dict[str, float] = {}

    def __call__(self, name: str, arguments: object, timeout_s: float) -> Outcome:
        self.asked.append((name, arguments))
        self.limits[name] = timeout_s
        answer = self.answers.get(name, Outcome("refused", why="ModuleNotFoundError: No module named 'picamera2'"))
        return answer if isinstance(answer, Outcome) else Outcome("answered", answer)


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[str, str], Path]:
    def put(place: str, text: str) -> Path:
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return put


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A bare machine: no device, no systemd, no child that answers."""
    board = Board(sysfs=tmp_path / "sys", procfs=tmp_path / "proc", run=tmp_path / "run", path="")
    sysfs, dev, etc = tmp_path / "sys", tmp_path / "dev", tmp_path / "etc"
    return Case(sysfs=sysfs, dev=dev, etc=etc, board=board, probe=Children(), call=lambda _: None)


class Systemctl:
    """Stands in for systemctl: lists the units that it was given with their states, and shows them."""

    RUNNING = "active running"

    def __init__(self, **units: str) -> None:
        self.units = {name.replace("_", "@"): state for name, state in units.items()}

    def __call__(self, command: list[str]) -> str:
        assert command[0] == "systemctl"
        if command[1] == "show":
            return "\n".join(self.show(name) for name in command[3:])
        assert {"--plain", "--no-legend", "--no-pager", "--full"} <= set(command)
        assert command[-2:] == ["fieldfare.service", "fieldfare@*"]
        return "".join(f"{name}.service loaded {state} Fieldfare {name}\n" for name, state in self.units.items())

    def show(self, name: str) -> str:
        loaded = "loaded" if name in self.units else "not-found"
        active, sub = self.units.get(name, "inactive dead").split()
        return f"LoadState={loaded}\nActiveState={active}\nSubState={sub}\nNRestarts=0\nUnitFileState=enabled\n"


def configured(case: Case, **sections: Any) -> Case:
    return replace(case, settings=settings_from({"bundle": "birds", **sections}), bundle="birds")


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


# The machine


@pytest.mark.parametrize(
    ("bits", "version", "kind"),
    [(64, (3, 13), "ok"), (32, (3, 11), "warning"), (32, (3, 13), "problem")],
)
def test_a_32_bit_system_has_no_litert_and_later_no_runtime(bits: int, version: tuple[int, int], kind: str) -> None:
    finding = only(machine.judge_system({"PRETTY_NAME": "Raspbian 12"}, "armv7l", bits, version))
    assert finding.kind == kind


@pytest.mark.parametrize(
    ("bits", "kind", "words"),
    [
        (0x0, "ok", "all is well"),
        (0x50005, "problem", "under-voltage, throttled"),
        (0x50000, "warning", "earlier since boot: under-voltage, throttled"),
        (0x80008, "warning", "soft temperature limit"),
    ],
)
def test_power(bits: int, kind: str, words: str) -> None:
    finding = machine.judge_power(power_from_bits(bits, "sysfs"))
    assert finding.kind == kind
    assert words in finding.seen


def test_a_board_over_the_ceiling(case: Case, plant: Callable[[str, str], Path]) -> None:
    plant("sys/class/thermal/thermal_zone0/temp", "71000")
    assert only(machine.temperature(case)).kind == "ok"
    finding = only(machine.temperature(configured(case, load={"max_temperature_c": 70})))
    assert (finding.kind, finding.seen) == ("warning", "71.0 C, ceiling 70 C")


def test_what_the_machine_does_not_offer_is_not_here(case: Case) -> None:
    for check in (machine.temperature, machine.power, machine.clock, machine.memory):
        assert only(check(case)).kind == "not here"


# Libraries


@pytest.mark.parametrize(
    ("versions", "edgetpu", "id_", "kind"),
    [
        ({"tflite-runtime": "2.14.0", "numpy": "2.1.0"}, {}, "tflite-numpy", "problem"),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4"}, {}, "pairs", "ok"),
        ({"tflite-runtime": "2.14.0"}, {"libedgetpu1-std": "16.0"}, "edgetpu-tflite", "problem"),
        ({"tflite-runtime": "2.11.0"}, {"libedgetpu1-std": "16.0"}, "pairs", "ok"),
        ({"tflite-runtime": "2.14.0"}, {"libedgetpu1-std": "16.0tf2.17.1-1"}, "pairs", "ok"),
        ({"ai-edge-litert": "2.3.0"}, {"libedgetpu1-max": "13.0"}, "edgetpu-litert", "warning"),
        ({"opencv-python": "4", "opencv-python-headless": "4"}, {}, "opencv-twice", "warning"),
        ({"pycoral": "0.1"}, {}, "pycoral", "warning"),
        ({"kms": "0.1"}, {}, "kms", "problem"),
    ],
)
def test_known_bad_pairs(versions: dict[str, str], edgetpu: dict[str, str], id_: str, kind: str) -> None:
    finding = only(software.judge_pairs(versions, edgetpu))
    assert (finding.id, finding.kind) == (id_, kind)


def test_the_packages_of_libedgetpu_come_from_dpkg(case: Case) -> None:
    said = "libedgetpu1-max \nlibedgetpu1-std 16.0\n"
    assert software.edgetpu_packages(replace(case, call=lambda _: said)) == {"libedgetpu1-std": "16.0"}


def library(error: str | None, module: str, versions: dict[str, str]) -> dict[str, Finding]:
    tried = {name: {"version": None, "error": None} for name in FINE["libraries"]} | {
        module: {"version": None, "error": error}
    }
    return {finding.id: finding for finding in software.judge_libraries(Outcome("answered", tried), versions)}


@pytest.mark.parametrize(
    ("module", "package", "error", "id_", "mend"),
    [
        ("cv2", "opencv-python", "ImportError: libGL.so.1: cannot open", "opencv", "opencv-python-headless"),
        ("cv2", "", "ModuleNotFoundError: No module named 'cv2'", "opencv", "pip install"),
        ("numpy", "numpy", "ImportError: bad magic", "numpy", "install it again"),
    ],
)
def test_a_library_that_does_not_import(module: str, package: str, error: str, id_: str, mend: str) -> None:
    finding = library(error, module, {package: "4.9"} if package else {})[id_]
    assert finding.kind == "problem"
    assert mend in (finding.mend or "")


def test_one_runtime_is_enough() -> None:
    missing = "ModuleNotFoundError: No module named 'ai_edge_litert'"
    assert library(missing, "ai_edge_litert.interpreter", {"tflite-runtime": "2.14.0"})["litert"].kind == "warning"
    missing = "ModuleNotFoundError: No module named 'tflite_runtime'"
    assert "tflite" not in library(missing, "tflite_runtime.interpreter", {"ai-edge-litert": "2.3"})


def test_a_library_that_crashes_is_a_problem() -> None:
    finding = only(software.judge_libraries(Outcome("crashed", why="died of SIGILL"), {}))
    assert (finding.kind, finding.seen) == ("problem", "died of SIGILL")


# Cameras


def test_devices_of_one_name_are_told_together(case: Case, plant: Callable[[str, str], Path]) -> None:
    for number, name in ((0, "HD Webcam"), (1, "HD Webcam"), (10, "bcm2835-codec-decode")):
        plant(f"sys/class/video4linux/video{number}/name", f"{name}\n")
    assert only(cameras.v4l2(case)).seen == "video0,1 HD Webcam; video10 bcm2835-codec-decode"


def test_a_camera_that_is_not_open_to_this_user(
    case: Case, plant: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = plant("dev/video0", "")
    plant("dev/dma_heap/system", "")
    monkeypatch.setattr(Case, "may_use", lambda _, path: path != node)
    finding = cameras.permissions(case)[0]
    assert finding.kind == "warning"
    assert finding.seen == f"not open to this user: {node}"


def test_groups() -> None:
    rows = [("pi", {"video", "plugdev"}), ("fieldfare", {"video"})]
    finding = cameras.judge_groups(rows, root=False)
    assert finding.seen == "pi: video, plugdev; fieldfare: not in plugdev"
    assert finding.mend == "sudo usermod -aG plugdev fieldfare; then log in again"
    assert cameras.judge_groups([("root", set())], root=True).kind == "ok"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("refused", why="ValueError: numpy.dtype size changed, may indicate"), "numpy<2"),
        (Outcome("refused", why="ModuleNotFoundError: No module named 'pykms'"), "python3-kms++"),
        (Outcome("hung", why="no answer within 15 s"), "restart the board"),
        (Outcome("answered", []), "ribbon cable"),
        (Outcome("refused", why="ModuleNotFoundError: No module named 'picamera2'"), "apt install python3-picamera2"),
    ],
)
def test_what_ails_picamera2(case: Case, outcome: Outcome, words: str) -> None:
    wanted = configured(replace(case, probe=Children(pi_cameras=outcome)), camera={"source": "picamera2"})
    finding = only(cameras.pi_cameras(wanted))
    assert finding.kind == "problem"
    assert words in (finding.mend or "")


def test_without_a_pi_camera_in_the_settings_none_is_missed(case: Case) -> None:
    assert only(cameras.pi_cameras(case)).kind == "not here"


def test_a_running_service_keeps_its_camera(case: Case) -> None:
    busy = configured(replace(case, call=Systemctl(fieldfare=Systemctl.RUNNING)), camera={"source": "/dev/video0"})
    finding = only(cameras.frame(busy))
    assert finding.kind == "not here"
    assert finding.seen == "in use by fieldfare: sudo systemctl stop fieldfare, then try again"


FRAME = {"description": "camera", "size": [640, 480], "mean": 90.0, "spread": 40.0}


@pytest.mark.parametrize(
    ("theirs", "mine", "tried"),
    [
        ("/dev/video0", "/dev/video0", False),
        ("/dev/video0", "/dev/v4l/by-id/usb-webcam", False),
        ("/dev/v4l/by-id/usb-webcam", "/dev//video0", False),
        ("/dev/video2", "/dev/video0", True),
        ("picamera2", "picamera2:0", False),
        ("picamera2:1", "picamera2:01", False),
        ("picamera2:1", "picamera2", True),
        ("/dev/video0", "picamera2", True),
        ("rtsp://cam/1", "rtsp://cam/1", True),
        ("synthetic", "synthetic", True),
    ],
)
def test_an_instance_keeps_its_own_camera_only(
    case: Case, plant: Callable[[str, str], Path], theirs: str, mine: str, tried: bool
) -> None:
    plant("dev/video0", "")
    (case.dev / "v4l/by-id").mkdir(parents=True)
    (case.dev / "v4l/by-id/usb-webcam").symlink_to("../../video0")
    plant("etc/fieldfare/front.toml", f'bundle = "birds"\n[camera]\nsource = "{theirs}"\n')
    children = Children(frame=FRAME)
    machine_ = replace(case, probe=children, call=Systemctl(fieldfare_front=Systemctl.RUNNING))
    finding = only(cameras.frame(configured(machine_, camera={"source": mine})))
    assert (finding.kind == "ok", bool(children.asked)) == (tried, tried)
    if not tried:
        assert finding.kind == "not here"
        assert finding.seen == "in use by fieldfare@front: sudo systemctl stop fieldfare@front, then try again"


@pytest.mark.parametrize("text", [None, "not TOML", "bundle = 1", "[camera]\nsource = '/dev/video7'"])
def test_an_instance_with_settings_that_cannot_be_read_may_use_everything(
    case: Case, plant: Callable[[str, str], Path], text: str | None
) -> None:
    if text is not None:
        plant("etc/fieldfare/front.toml", text)
    busy = replace(case, call=Systemctl(fieldfare_front=Systemctl.RUNNING))
    for finding in (
        only(cameras.frame(configured(busy, camera={"source": "/dev/video0"}))),
        only(coral.engine(configured(busy, engine={"device": "edgetpu"}))),
    ):
        assert finding.kind == "not here"
        assert finding.seen.startswith("in use by fieldfare@front (perhaps: its settings cannot be read): ")


@pytest.mark.parametrize(
    ("state", "tried"), [("activating start", False), ("activating auto-restart", True), ("active running", False)]
)
def test_a_service_that_waits_for_its_restart_holds_nothing(case: Case, state: str, tried: bool) -> None:
    machine_ = replace(case, probe=Children(frame=FRAME), call=Systemctl(fieldfare_front=state))
    finding = only(cameras.frame(configured(machine_, camera={"source": "/dev/video0"})))
    assert (finding.kind == "ok") == tried


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        ({"description": "camera", "size": [640, 480], "mean": 90.0, "spread": 40.0}, "ok", "640x480"),
        ({"description": "camera", "size": [640, 480], "mean": 0.0, "spread": 0.0}, "warning", "all of one colour"),
        (Outcome("hung", why="no answer within 15 s"), "problem", "/dev/video0 hung"),
        (Outcome("refused", why="camera /dev/video0: busy"), "problem", "camera /dev/video0: busy"),
    ],
)
def test_one_frame_is_taken(case: Case, outcome: Any, kind: str, words: str) -> None:
    finding = only(
        cameras.frame(configured(replace(case, probe=Children(frame=outcome)), camera={"source": "/dev/video0"}))
    )
    assert finding.kind == kind
    assert words in finding.seen


@pytest.mark.parametrize(("keys", "waited_s"), [({}, 3), ({"timeout_s": 20}, 20), ({"fps": 0.1}, 30)])
def test_a_camera_gets_the_time_that_its_settings_give_it(case: Case, keys: dict[str, Any], waited_s: float) -> None:
    children = Children(frame=FRAME)
    cameras.frame(configured(replace(case, probe=children), camera={"source": "rtsp://cam/1", **keys}))
    ((_, (camera,)),) = children.asked
    assert settings_from({"bundle": "b", "camera": camera}).camera.patience_s == pytest.approx(waited_s)
    assert children.limits["frame"] >= waited_s + 10  # to load the libraries, too


def test_a_camera_that_may_take_longer_than_the_doctor_waits_is_not_said_to_be_broken(case: Case) -> None:
    hung = Children(frame=Outcome("hung", why="no answer within 45 s"))
    slow = {"source": "rtsp://cam/1", "timeout_s": 600}
    finding = only(cameras.frame(configured(replace(case, probe=hung), camera=slow)))
    assert finding.kind == "warning"
    assert finding.seen == "rtsp://cam/1: no answer within 45 s, but the settings allow 600 s for a frame"
    assert hung.limits["frame"] < 60


def test_of_a_slow_camera_one_frame_will_do() -> None:
    assert probe.frame({"source": "synthetic", "fps": 0.001})["size"] == [640, 480]


def test_a_password_in_a_url_is_not_shown(case: Case) -> None:
    hung = Children(frame=Outcome("hung", why="no answer within 15 s"))
    finding = only(cameras.frame(configured(replace(case, probe=hung), camera={"source": "rtsp://me:secret@cam/1"})))
    assert "secret" not in finding.seen


# The Coral


def usb_coral(plant: Callable[[str, str], Path], vendor: str, product: str, speed: str) -> None:
    for name, text in (
        ("idVendor", vendor),
        ("idProduct", product),
        ("speed", speed),
        ("busnum", "2"),
        ("devnum", "3"),
    ):
        plant(f"sys/bus/usb/devices/2-1/{name}", text)


def test_a_coral_on_usb_3(case: Case, plant: Callable[[str, str], Path]) -> None:
    usb_coral(plant, "18d1", "9302", "5000")
    assert only(coral.device(case)) == Finding("coral", "Coral", "ok", "2-1, 18d1:9302 (firmware loaded), 5000 Mbit/s")


def test_a_coral_on_usb_2_is_slow(case: Case, plant: Callable[[str, str], Path]) -> None:
    usb_coral(plant, "1a6e", "089a", "480")
    finding = only(coral.device(case))
    assert (finding.kind, finding.seen) == ("warning", "2-1, 1a6e:089a (as plugged in), 480 Mbit/s: USB 2")


def test_a_coral_without_its_udev_rule(
    case: Case, plant: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usb_coral(plant, "1a6e", "089a", "5000")
    plant("dev/bus/usb/002/003", "")
    monkeypatch.setattr(Case, "may_use", lambda *_: False)
    finding = only(coral.device(case))
    assert finding.kind == "problem"
    assert "60-fieldfare-coral.rules" in (finding.mend or "")


def test_a_coral_is_missed_only_where_it_is_asked_for(case: Case) -> None:
    assert only(coral.device(case)).kind == "not here"
    assert only(coral.device(configured(case, engine={"device": "usb"}))).kind == "problem"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("crashed", why="died of SIGSEGV"), "rebuilt"),
        (Outcome("crashed", why="died of SIGABRT"), "rebuilt"),
        (Outcome("hung", why="no answer within 7 s"), "unplug"),
        (Outcome("refused", why="no Edge TPU (libedgetpu.so.1)"), "libedgetpu"),
    ],
)
def test_a_delegate_that_does_not_load(case: Case, outcome: Outcome, words: str) -> None:
    wanted = configured(replace(case, probe=Children(delegate=outcome)), engine={"device": "edgetpu"})
    finding = only(coral.engine(wanted))
    assert finding.kind == "problem"
    assert outcome.why in finding.seen
    assert words in (finding.mend or "")


@pytest.mark.parametrize(
    ("devices", "users"),
    [
        ({"front": "auto"}, "fieldfare@front"),
        ({"front": "usb:1", "back": "2-1.4"}, "fieldfare@front and fieldfare@back"),
        ({"front": "cpu", "back": "any"}, "fieldfare@back"),
        ({"front": "cpu", "back": "cpu"}, None),
        ({}, None),
    ],
)
def test_an_edge_tpu_that_an_instance_may_use_is_left_alone(
    case: Case, plant: Callable[[str, str], Path], devices: dict[str, str], users: str | None
) -> None:
    for name, device in devices.items():
        plant(f"etc/fieldfare/{name}.toml", f'bundle = "birds"\n[engine]\ndevice = "{device}"\n')
    children = Children(delegate={}, golden={"engine": "edgetpu:usb:0"})
    running = Systemctl(**{f"fieldfare_{name}": Systemctl.RUNNING for name in devices})
    finding = only(coral.engine(configured(replace(case, probe=children, call=running), engine={"device": "usb:0"})))
    if users is None:
        assert finding.kind == "ok"
    else:
        stop = users.replace(" and ", " ")
        seen = f"in use by {users}: sudo systemctl stop {stop}, then try again"
        assert (finding.kind, finding.seen, children.asked) == ("not here", seen, [])


@pytest.mark.parametrize(
    ("outcome", "kind", "mend"),
    [
        ({"engine": "litert 2.3.0, edgetpu:usb:0"}, "ok", None),
        (Outcome("refused", why="the bundle has no model compiled for the Edge TPU"), "problem", "fieldfare compile"),
        (Outcome("refused", why="wrong answer to a golden input"), "problem", "rebuilt"),
        (Outcome("refused", why=f"{probe.RUNTIME} 14, libedgetpu.so.1 has 12"), "problem", "--min_runtime_version"),
    ],
)
def test_golden_inputs_on_the_edge_tpu(case: Case, outcome: Any, kind: str, mend: str | None) -> None:
    children = Children(delegate={}, golden=outcome)
    finding = only(coral.engine(configured(replace(case, probe=children), engine={"device": "usb:0"})))
    assert finding.kind == kind
    assert (mend or "") in (finding.mend or "")
    assert children.asked[-1][1][1]["device"] == "usb:0"


@pytest.mark.parametrize(
    ("outcome", "device", "kind", "words"),
    [
        (
            {"min_runtime": 12, "on_chip": 566_912, "streamed": 0},
            "auto",
            "ok",
            "the CPU model's twin, for the Edge TPU runtime 12 or newer; 0.54 MiB of parameters on the chip, 0.00 MiB",
        ),
        (None, "auto", "not here", "the bundle has none"),
        (Outcome("refused", why="compiled from another model"), "auto", "problem", "compiled from another model"),
        (Outcome("refused", why="compiled from another model"), "cpu", "warning", "compiled from another model"),
        (Outcome("crashed", why="SIGSEGV"), "usb", "problem", "birds crashed: SIGSEGV"),
    ],
)
def test_the_compiled_model_of_a_bundle_is_read(case: Case, outcome: Any, device: str, kind: str, words: str) -> None:
    children = Children(compiled=outcome)
    finding = only(coral.compiled(configured(replace(case, probe=children), engine={"device": device})))
    assert (finding.kind, words in finding.seen) == (kind, True)
    assert children.asked == [("compiled", ["birds"])]
    assert ("fieldfare compile" in (finding.mend or "")) == (kind in ("problem", "warning"))


def test_a_real_bundle_s_compiled_model_is_read_and_compared(software_tpu: SoftwareTpu) -> None:
    assert probe.compiled(str(software_tpu.bundle)) == {"min_runtime": 12, "on_chip": 566_912, "streamed": 0}


def test_a_libedgetpu_older_than_the_compiled_model_is_named(
    software_tpu: SoftwareTpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.inference.edgetpu.runtime_version", lambda library: 11)
    with pytest.raises(ModelError, match=f"{probe.RUNTIME} 12, .*libsoftware_edgetpu.so has 11"):
        probe.golden(str(software_tpu.bundle), {"device": "usb", "edgetpu_library": str(software_tpu.library)})


def test_without_a_bundle_there_is_no_compiled_model_to_read(case: Case) -> None:
    assert only(coral.compiled(case)).kind == "not here"


# Settings, bundle, results, service


def test_wrong_settings_are_a_finding(case: Case) -> None:
    finding = only(setup.settings(replace(case, settings_error="a.toml: unknown key 'suorce'")))
    assert (finding.kind, finding.seen) == ("problem", "a.toml: unknown key 'suorce'")


def test_labels_that_the_bundle_lacks_are_a_finding_beside_the_bundle_s(case: Case) -> None:
    answer = {"name": "b", "id": "0", "classes": 2, "edgetpu": False, "labels_error": "decision.background: 'zzz'"}
    children = Children(bundle=answer)
    found = setup.bundle(configured(replace(case, probe=children), decision={"background": ["zzz"]}))
    assert [(finding.id, finding.kind) for finding in found] == [("bundle", "ok"), ("labels", "problem")]
    assert found[1].seen == "decision.background: 'zzz'"
    ((_, (_, named)),) = children.asked
    assert named["decision.background"] == ["zzz"]


def test_wrong_answers_of_the_model(case: Case) -> None:
    wrong = Outcome("refused", why="wrong answer to a golden input")
    assert only(setup.cpu(configured(replace(case, probe=Children(golden=wrong))))).kind == "problem"


@pytest.mark.parametrize(("free", "kind"), [(10**10, "ok"), (3 * 10**8, "warning"), (10**8, "problem")])
def test_room_for_the_results(tmp_path: Path, free: int, kind: str) -> None:
    assert setup.judge_folder(tmp_path, free, 320 * 10**6).kind == kind


def results_in(case: Case, file: Path) -> Finding:
    return only(setup.results(configured(case, output={"jsonl": str(file), "max_mb": 1, "keep": 0})))


def test_a_folder_that_is_not_there_is_made_by_the_service(case: Case, tmp_path: Path) -> None:
    finding = results_in(case, tmp_path / "not" / "yet" / "results.jsonl")
    assert finding.kind == "ok"
    assert finding.seen.startswith(f"{tmp_path}, ")
    assert not (tmp_path / "not").exists()


def test_a_folder_that_cannot_be_made(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = results_in(case, tmp_path / "no" / "results.jsonl")
    assert finding.kind == "problem"
    assert finding.seen == f"{tmp_path / 'no'} is missing, and {tmp_path} not writable"
    assert "sudo install -d" in (finding.mend or "")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.mkdir(), "is a folder"),
        (os.mkfifo, "is not a plain file"),
        (lambda file: file.touch(), "is not writable"),
    ],
    ids=["folder", "pipe", "read-only"],
)
def test_what_results_cannot_be_written_to(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], words: str
) -> None:
    file = tmp_path / "results.jsonl"
    make(file)
    monkeypatch.setattr(os, "access", lambda path, _: path != file)
    finding = results_in(case, file)
    assert (finding.kind, finding.seen) == ("problem", f"{file} {words}")


def test_a_file_where_the_folder_for_the_results_should_be(case: Case, tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    finding = results_in(case, tmp_path / "results" / "today" / "results.jsonl")
    assert (finding.kind, finding.seen) == ("problem", f"{tmp_path / 'results'} is not a folder")


@pytest.mark.parametrize(
    ("properties", "kind", "words"),
    [
        ("LoadState=not-found\nActiveState=inactive", "not here", "not-found"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0", "ok", "active (running)"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=7", "warning", "7 restarts"),
        (
            "LoadState=loaded\nActiveState=active\nStatusText=asleep: by the schedule, until 06:00",
            "ok",
            "0 restarts; asleep: by the schedule, until 06:00",
        ),
        (
            "LoadState=loaded\nActiveState=active\nStatusText=degraded: events wait in memory: disk full (3 waiting)",
            "warning",
            "events wait in memory: disk full",
        ),
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead", "warning", "inactive"),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed\nExecMainStatus=78", "problem", "wrong settings"),
        ("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nExecMainStatus=69", "problem", "69"),
        ("LoadState=loaded\nActiveState=active\nUnitFileState=disabled", "warning", "not started at boot"),
    ],
)
def test_what_systemd_says(case: Case, properties: str, kind: str, words: str) -> None:
    finding = only(setup.service(replace(case, call=lambda _: properties)))
    assert finding.kind == kind
    assert words in finding.seen


@pytest.mark.parametrize(
    ("units", "seen"),
    [
        ({"fieldfare": "active running"}, ["ok active (running), 0 restarts"]),
        ({}, ["not here not-found (docs/raspberry-pi.md installs it)"]),
        (
            {"fieldfare_front": "active running", "fieldfare_back": "activating auto-restart"},
            [
                "ok fieldfare@front: active (running), 0 restarts",
                "problem fieldfare@back: activating (auto-restart), 0 restarts, status 0",
            ],
        ),
        (
            {"fieldfare": "active running", "fieldfare_front": "activating start"},
            ["ok active (running), 0 restarts", "ok fieldfare@front: activating (start), 0 restarts"],
        ),
    ],
)
def test_each_instance_that_runs_is_told(case: Case, units: dict[str, str], seen: list[str]) -> None:
    findings = setup.service(replace(case, call=Systemctl(**units)))
    assert [f"{finding.kind} {finding.seen}" for finding in findings] == seen
    assert {finding.id for finding in findings} == {"service"}
    assert all("fieldfare@back" in (finding.mend or "") for finding in findings if finding.kind == "problem")


def test_only_instances_and_the_service_are_taken_from_systemd_s_list(case: Case) -> None:
    listed = (
        "fieldfare@front.service        loaded active     running      Fieldfare camera classifier front\n"
        "* fieldfare@a\\x2db.service    loaded activating auto-restart Fieldfare camera classifier a-b\n"
        "fieldfare-reboot.service       loaded activating start        Reboot\n"
        "not-fieldfare@x.service        loaded active     running      Another\n"
    )
    units = replace(case, call=lambda _: listed).units()
    assert [(unit.name, unit.sub_state) for unit in units] == [
        ("fieldfare@front", "running"),
        ("fieldfare@a\\x2db", "auto-restart"),
    ]
    assert replace(case, call=lambda _: None).units() == []


# The whole


def test_a_check_that_stumbles_does_not_keep_the_others_from_speaking(case: Case) -> None:
    def stumble(_: Case) -> list[Finding]:
        raise ZeroDivisionError("by zero")

    made = examine(case, checks=[("first", stumble), ("second", machine.board)])
    assert [finding.id for finding in made.findings] == ["first", "board"]
    assert made.findings[0].kind == "problem"
    assert "ZeroDivisionError: by zero (test_doctor.py:" in made.findings[0].seen
    assert made.status == 69


def test_where_every_child_hangs_the_whole_takes_as_long_as_its_slowest(case: Case) -> None:
    asked: list[str] = []
    all_asked = threading.Event()

    def hang(name: str, arguments: object, timeout_s: float) -> Outcome:
        """Until every child that is asked side by side has been."""
        asked.append(name)
        if {"libraries", "pi_cameras", "frame", "delegate"} <= set(asked):
            all_asked.set()
        assert all_asked.wait(60), f"one after the other: {asked}"
        return Outcome("hung", why=f"no answer within {timeout_s:g} s")

    made = examine(configured(replace(case, probe=hang), engine={"device": "edgetpu"}))
    assert all_asked.is_set()
    assert made.status == 69
    assert Case().child_s + 1 < 20
    assert Case().delegate_s + Case().edgetpu_s + 1 < 20


def test_a_bare_machine_has_an_answer_to_every_check(case: Case) -> None:
    made = examine(replace(case, probe=Children(**FINE)))
    assert len(made.findings) >= len(CHECKS)
    assert all(finding.mend for finding in made.findings if finding.kind in ("warning", "problem"))


def test_warnings_alone_are_no_failure() -> None:
    assert report([Finding("a", "a", "warning", "seen")]).status == 0
    assert report([Finding("a", "a", "ok", "seen"), Finding("b", "b", "problem", "seen")]).status == 69


def test_the_text_fits_80_columns_and_keeps_paths_whole() -> None:
    path = "/opt/fieldfare/" + "very-long/" * 9
    text = click.unstyle(
        render(
            report(
                [
                    Finding("a", "a thing", "warning", "words " * 40, "do this " * 30),
                    Finding("b", "another", "problem", path),
                ]
            )
        )
    )
    lines = text.splitlines()
    assert path in text
    assert all(len(line) <= 80 for line in lines if path not in line)
    assert lines[0].startswith("warning  a thing")
    assert lines[-1] == "0 ok, 1 warning, 1 problem: repair the problems first"
    assert any(line.lstrip().startswith("-> do this") for line in lines)


def test_the_doctor_needs_no_numpy() -> None:
    """It is for machines where numpy, OpenCV or LiteRT are broken."""
    import subprocess

    code = (
        "import sys; sys.modules['numpy'] = sys.modules['cv2'] = sys.modules['ai_edge_litert'] = None\n"
        "import edge.cli.doctor, edge.doctor.examination, edge.doctor.text, edge.doctor.probe"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
