"""The software Edge TPU, with Coral's compiled models and through each runtime's real load_delegate."""

import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import EngineError, MissingPackageError
from edge.fakes import software_edgetpu
from edge.fakes.software_edgetpu import (
    ENVIRONMENT,
    Script,
    answers_for,
    build,
    hash_tensor,
    write_answers,
    write_script,
)
from edge.inference.edgetpu import load_edgetpu
from edge.inference.runtime import TfliteRuntime
from edge.inference.tflite import TfliteClassifier

PAIRS = {
    "mobilenet_v1_0.25_128_quant": (128, 128, 3),
    "keras_lstm_mnist_ptq": (28, 28),
    "mobilenet_v1_1.0_224_quant_embedding_extractor": (224, 224, 3),
}
SMALL = "mobilenet_v1_0.25_128_quant"


@pytest.mark.parametrize("module", ["ai_edge_litert", "tflite_runtime"])
def test_the_tests_below_ran_with_both_runtimes(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that controls the software Edge TPU, with a script without faults."""
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    write_script(tmp_path, Script())
    return tmp_path


def pictures(model: str, count: int = 3) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (1, *PAIRS[model]), np.uint8) for _ in range(count)]


def classify(classifier: TfliteClassifier, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    classifier.load(picture)
    return classifier.invoke()


def follow(change: float = 0.02) -> None:
    """Wait until a running software Edge TPU has read its files again."""
    time.sleep(change)


class Bench:
    """One runtime and one pair of models, with the answers of the CPU model in the table."""

    def __init__(self, runtime: TfliteRuntime, library: Path, shared: Path, folder: Path, model: str = SMALL) -> None:
        self.runtime, self.library, self.folder = runtime, library, folder
        self.twin = TfliteClassifier(runtime, (shared / "models" / f"{model}.tflite").read_bytes())
        self.compiled = (shared / "models" / f"{model}_edgetpu.tflite").read_bytes()
        self.pictures = pictures(model)
        self.answers = answers_for(self.twin, self.pictures)
        write_answers(folder, self.answers)

    def open(self, device: str = "") -> TfliteClassifier:
        delegate = load_edgetpu(self.runtime, library=str(self.library), device=device)
        return TfliteClassifier(self.runtime, self.compiled, delegate=delegate, processor="edgetpu")

    def right(self, number: int) -> NDArray[np.generic]:
        return classify(self.twin, self.pictures[number])


@pytest.fixture
def bench(each_runtime: TfliteRuntime, edgetpu_library: Path, shared: Path, folder: Path) -> Bench:
    return Bench(each_runtime, edgetpu_library, shared, folder)


@pytest.mark.parametrize("model", PAIRS)
def test_it_answers_what_the_cpu_twin_answers(
    each_runtime: TfliteRuntime, edgetpu_library: Path, shared: Path, folder: Path, model: str
) -> None:
    bench = Bench(each_runtime, edgetpu_library, shared, folder, model)
    tpu = bench.open()
    for picture in bench.pictures:
        assert classify(tpu, picture).tobytes() == bench.answers[hash_tensor(picture)]


def test_the_source_compiles_without_a_warning(tmp_path: Path) -> None:
    source = Path(software_edgetpu.__file__).with_suffix(".c")
    words = [
        "cc",
        "-shared",
        "-fPIC",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        "-o",
        tmp_path / "x.so",
        source,
    ]
    subprocess.run(list(map(str, words)), check=True, timeout=120)


@given(data=st.binary(max_size=100))
def test_python_and_c_agree_on_the_key_of_an_input(edgetpu_library: Path, data: bytes) -> None:
    in_c = ctypes.CDLL(str(edgetpu_library)).software_edgetpu_hash
    in_c.argtypes, in_c.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_uint64
    assert in_c(data, len(data)) == hash_tensor(np.frombuffer(data, np.uint8))


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackageError, match="apt install gcc"):
        build(tmp_path)


class TestUnknownInputs:
    def test_are_an_error_by_default(self, bench: Bench) -> None:
        with pytest.raises(EngineError, match=r"no answer to input [0-9a-f]{16}"):
            classify(bench.open(), np.zeros((1, 128, 128, 3), np.uint8))

    def test_or_get_the_default_answer(self, bench: Bench) -> None:
        write_answers(bench.folder, bench.answers, default=bytes([7]) * 1001)
        write_script(bench.folder, Script(unknown="default"))
        assert (classify(bench.open(), np.zeros((1, 128, 128, 3), np.uint8)) == 7).all()

    def test_or_one_of_the_table_always_the_same(self, bench: Bench) -> None:
        write_script(bench.folder, Script(unknown="pick"))
        tpu, unknown = bench.open(), np.zeros((1, 128, 128, 3), np.uint8)
        first = classify(tpu, unknown)
        assert first.tobytes() in bench.answers.values()
        assert np.array_equal(classify(tpu, unknown), first)

    def test_a_table_for_another_model_says_so(self, bench: Bench) -> None:
        write_answers(bench.folder, dict.fromkeys(bench.answers, b"short"))
        with pytest.raises(EngineError, match="the table's answers have 5 bytes, the model's 1001"):
            classify(bench.open(), bench.pictures[0])


class TestTime:
    def test_an_inference_takes_as_long_as_the_script_says(self, bench: Bench) -> None:
        write_script(bench.folder, Script(time_us=20_000))
        tpu = bench.open()
        started = time.monotonic()
        for _ in range(5):
            classify(tpu, bench.pictures[0])
        assert time.monotonic() - started >= 5 * 0.020

    def test_other_threads_run_meanwhile(self, bench: Bench) -> None:
        """As on hardware: the runtime releases the interpreter lock while the device computes."""
        write_script(bench.folder, Script(time_us=200_000))
        tpu = bench.open()
        thread = threading.Thread(target=classify, args=(tpu, bench.pictures[0]))
        thread.start()
        turns = 0
        while thread.is_alive():
            turns += 1
            time.sleep(0.005)
        assert turns > 5


class TestFaults:
    """Each is scripted while the engine runs, since hardware fails then."""

    def strike(self, bench: Bench, script: Script) -> Callable[[], NDArray[np.generic]]:
        """Answer picture 0 correctly, then apply `script`; the next picture is another one."""
        tpu = bench.open()
        assert np.array_equal(classify(tpu, bench.pictures[0]), bench.right(0))
        write_script(bench.folder, script)
        follow()
        return lambda: classify(tpu, bench.pictures[1])

    def test_error(self, bench: Bench) -> None:
        with pytest.raises(EngineError, match="inference failed: software Edge TPU: fails, by its script"):
            self.strike(bench, Script(mode="error"))()

    def test_garbage_is_never_twice_the_same(self, bench: Bench) -> None:
        again = self.strike(bench, Script(mode="garbage"))
        assert len({again().tobytes() for _ in range(3)}) == 3

    def test_nan_is_garbage_where_the_output_is_not_float(self, bench: Bench) -> None:
        again = self.strike(bench, Script(mode="nan"))
        assert not np.array_equal(again(), again())

    def test_constant(self, bench: Bench) -> None:
        assert (self.strike(bench, Script(mode="constant", value=200))() == 200).all()

    def test_stale(self, bench: Bench) -> None:
        assert np.array_equal(self.strike(bench, Script(mode="stale"))(), bench.right(0))

    def test_unwritten(self, bench: Bench) -> None:
        tpu = bench.open()
        write_script(bench.folder, Script(mode="unwritten"))
        follow()
        tpu.mark_output(lambda memory: memory.fill(77))
        assert (tpu.invoke() == 77).all()

    def test_a_hang_of_some_seconds_answers_late(self, bench: Bench) -> None:
        again = self.strike(bench, Script(mode="hang", seconds=1))
        started = time.monotonic()
        assert np.array_equal(again(), bench.right(1))
        assert time.monotonic() - started >= 1

    def test_a_fault_can_wait_for_its_turn(self, bench: Bench) -> None:
        write_script(bench.folder, Script(mode="error", after=2))
        tpu = bench.open()
        classify(tpu, bench.pictures[0])
        classify(tpu, bench.pictures[1])
        with pytest.raises(EngineError, match="fails, by its script"):
            classify(tpu, bench.pictures[2])

    def test_what_was_wrong_for_a_while_is_right_again(self, bench: Bench) -> None:
        again = self.strike(bench, Script(mode="garbage"))
        assert not np.array_equal(again(), bench.right(1))
        write_script(bench.folder, Script())
        follow()
        assert np.array_equal(again(), bench.right(1))


class TestDevices:
    def test_refused(self, bench: Bench) -> None:
        write_script(bench.folder, Script(mode="refuse"))
        with pytest.raises(EngineError, match=r"no Edge TPU .*refuses, by its script"):
            bench.open()

    @pytest.mark.parametrize("wanted", ["", "usb", "usb:0", "usb:1", "pci", "pci:0"])
    def test_what_is_plugged_in_can_be_asked_for(self, bench: Bench, wanted: str) -> None:
        write_script(bench.folder, Script(devices=("usb:0", "usb:1", "pci:0")))
        assert np.array_equal(classify(bench.open(wanted), bench.pictures[0]), bench.right(0))

    @pytest.mark.parametrize("wanted", ["usb:2", "pci", "pci:0"])
    def test_what_is_not_is_refused(self, bench: Bench, wanted: str) -> None:
        write_script(bench.folder, Script(devices=("usb:0", "usb:1")))
        with pytest.raises(EngineError, match=f"no device '{wanted}' is plugged in"):
            bench.open(wanted)

    def test_unplugged_it_fails_and_stays_lost_until_opened_anew(self, bench: Bench) -> None:
        tpu = bench.open()
        write_script(bench.folder, Script(mode="absent"))
        follow()
        with pytest.raises(EngineError, match="usb:0 is gone"):
            classify(tpu, bench.pictures[0])
        with pytest.raises(EngineError, match="no device '' is plugged in"):
            bench.open()
        write_script(bench.folder, Script())
        follow()
        with pytest.raises(EngineError, match="usb:0 is gone"):
            classify(tpu, bench.pictures[0])
        assert np.array_equal(classify(bench.open(), bench.pictures[0]), bench.right(0))

    def test_plugged_in_anew_between_two_frames_the_old_one_is_lost(self, bench: Bench) -> None:
        tpu = bench.open()
        write_script(bench.folder, Script(plug=1))
        follow()
        with pytest.raises(EngineError, match="is gone"):
            classify(tpu, bench.pictures[0])
        classify(bench.open(), bench.pictures[0])

    def test_of_two_one_can_go(self, bench: Bench) -> None:
        write_script(bench.folder, Script(devices=("usb:0", "usb:1")))
        first, second = bench.open("usb:0"), bench.open("usb:1")
        write_script(bench.folder, Script(devices=("usb:1",)))
        follow()
        with pytest.raises(EngineError, match="usb:0 is gone"):
            classify(first, bench.pictures[0])
        assert np.array_equal(classify(second, bench.pictures[0]), bench.right(0))

    def test_unknown_options_are_refused(self, bench: Bench) -> None:
        with pytest.raises(ValueError, match="unknown option 'Perfomance'"):
            bench.runtime.load_delegate(str(bench.library), {"Perfomance": "Max"})
        bench.runtime.load_delegate(str(bench.library), {"Performance": "Max", "device": "usb"})


CHILD = """
import sys
from pathlib import Path
import numpy as np
from edge.inference.edgetpu import load_edgetpu
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
runtime = load_runtime(sys.argv[1])
print("loading", flush=True)
delegate = load_edgetpu(runtime, library=sys.argv[2], device="")
print("loaded", flush=True)
tpu = TfliteClassifier(runtime, Path(sys.argv[3]).read_bytes(), delegate=delegate)
tpu.load(np.zeros(tpu.inputs[0].shape, tpu.inputs[0].dtype))
tpu.invoke()
print("answered", flush=True)
"""


class TestDeaths:
    """Faults that end or stop a process, watched from another one."""

    @pytest.fixture
    def child(self, bench: Bench, shared: Path) -> Callable[[Script], subprocess.Popen[str]]:
        def start(script: Script) -> subprocess.Popen[str]:
            write_script(bench.folder, script)
            model = shared / "models" / f"{SMALL}_edgetpu.tflite"
            command = [sys.executable, "-c", CHILD, bench.runtime.name, str(bench.library), str(model)]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        return start

    @pytest.mark.parametrize("at", ["load", "invoke"])
    @pytest.mark.parametrize(("mode", "number"), [("abort", signal.SIGABRT), ("segfault", signal.SIGSEGV)])
    def test_it_takes_the_process_with_it(
        self, child: Callable[[Script], subprocess.Popen[str]], at: str, mode: str, number: int
    ) -> None:
        with child(Script(mode=mode, at=at)) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == -number
        assert said == ("loading\n" if at == "load" else "loading\nloaded\n")

    @pytest.mark.parametrize("at", ["load", "invoke"])
    def test_it_hangs_for_ever(self, child: Callable[[Script], subprocess.Popen[str]], at: str) -> None:
        with child(Script(mode="hang", at=at)) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "loading\n"
            if at == "invoke":
                assert process.stdout.readline() == "loaded\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1.5)
            process.kill()
            assert process.stdout.read() == ""


@pytest.fixture(scope="module")
def create(edgetpu_library: Path) -> Callable[[Path], str | None]:
    """Create a delegate with the bare library; return its report, or None if there is a delegate."""
    loaded = ctypes.CDLL(str(edgetpu_library))
    report_type = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
    loaded.tflite_plugin_create_delegate.restype = ctypes.c_void_p
    loaded.tflite_plugin_destroy_delegate.argtypes = [ctypes.c_void_p]

    def call(folder: Path) -> str | None:
        os.environ[ENVIRONMENT] = str(folder)
        said: list[bytes] = []
        report = report_type(said.append)
        delegate = loaded.tflite_plugin_create_delegate(None, None, ctypes.c_size_t(0), report)
        if delegate:
            loaded.tflite_plugin_destroy_delegate(delegate)
            assert not said
            return None
        return said[0].decode()

    return call


class TestFiles:
    """Its files are checked: neither a script nor a table can crash the process that loads it."""

    @pytest.mark.parametrize(
        "text",
        [
            "mode=sleepy",
            "mood=ok",
            "mode",
            "time_us=-1",
            "time_us=60000001",
            "value=256",
            "seconds=1.5",
            "devices=",
            "devices=usb",
            "devices=usb:0,,bus:1",
            "devices=usb:0,usb:1,usb:2,usb:3,usb:4,usb:5,usb:6,usb:7,usb:8",
            "mode=ok \xff=\xfe",
        ],
    )
    def test_a_wrong_word_of_the_script_is_named(
        self, create: Callable[[Path], str | None], folder: Path, text: str
    ) -> None:
        (folder / "script").write_text(text, encoding="latin-1")
        assert "unknown key, or value out of range" in (create(folder) or "")

    def test_no_script_is_no_device(self, create: Callable[[Path], str | None], folder: Path) -> None:
        (folder / "script").unlink()
        assert "script: no plain file" in (create(folder) or "")

    def test_a_table_that_is_cut_off_is_refused(self, create: Callable[[Path], str | None], folder: Path) -> None:
        write_answers(folder, {1: b"abc", 2: b"def"}, default=b"ghi")
        assert create(folder) is None
        whole = (folder / "answers.bin").read_bytes()
        for size in range(len(whole)):
            (folder / "answers.bin").write_bytes(whole[:size])
            assert create(folder) == "software Edge TPU: answers.bin: not a table, or cut off"

    def test_answers_must_be_of_one_size(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="must be one size"):
            write_answers(tmp_path, {1: b"abc", 2: b"de"})

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        script=st.one_of(st.binary(max_size=200), st.text("modeatvlupgck=:,0123456789 \n", max_size=80).map(str.encode))
    )
    def test_any_bytes_are_a_script_or_a_report(
        self, create: Callable[[Path], str | None], folder: Path, script: bytes
    ) -> None:
        (folder / "script").unlink(missing_ok=True)
        (folder / "script").write_bytes(script)
        report = create(folder)
        assert report is None or report.startswith("software Edge TPU: ")

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(head=st.tuples(*[st.integers(0, 2**64 - 1) | st.integers(0, 4)] * 3), body=st.binary(max_size=100))
    def test_any_header_is_a_table_or_a_report(
        self, create: Callable[[Path], str | None], folder: Path, head: tuple[int, ...], body: bytes
    ) -> None:
        (folder / "answers.bin").unlink(missing_ok=True)
        (folder / "answers.bin").write_bytes(b"FFTPU001" + b"".join(n.to_bytes(8, "little") for n in head) + body)
        count, size, has_default = head
        good = has_default <= 1 and size and len(body) == 8 * count + (count + has_default) * size
        assert (create(folder) is None) == bool(good)
