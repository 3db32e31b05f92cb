"""Engines on Coral's real models: the CPU, and the Edge TPU path through the runtime's real load_delegate."""

import dataclasses
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.manifest import EdgeTpu
from edge.bundle.store import Bundle
from edge.bundle.write import seal
from edge.clock import stamp
from edge.config.running import Decisions, Engine
from edge.errors import BundleError, EngineError, MissingPackageError
from edge.fakes.software_edgetpu import ENVIRONMENT, Mode, Script, hash_tensor, write_answers, write_script
from edge.inference import golden
from edge.inference.runtime import TfliteRuntime, load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.records import Frame
from edge.worker.assemble import build_pipeline, open_classifier


@pytest.fixture(scope="module")
def runtime() -> TfliteRuntime:
    return load_runtime("auto")


@pytest.fixture
def classifier(runtime: TfliteRuntime, sealed: Bundle) -> TfliteClassifier:
    return TfliteClassifier(runtime, sealed.model)


@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="LiteRT is not installed")
def test_litert_comes_first(runtime: TfliteRuntime) -> None:
    assert runtime.name == "litert"


@pytest.mark.skipif(find_spec("tflite_runtime") is not None, reason="tflite-runtime is installed")
def test_a_runtime_that_is_not_there_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite_runtime", None)
    with pytest.raises(MissingPackageError, match=r"pip install '\.\[device\]'"):
        load_runtime("tflite-runtime")


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_an_input_of_another_dtype_is_not_converted(classifier: TfliteClassifier, dtype: Any) -> None:
    with pytest.raises(TypeError, match=f"49152 values of {np.dtype(dtype)}, must be 49152 of uint8"):
        classifier.load(np.zeros((1, 128, 128, 3), dtype))


def test_an_input_of_another_size_is_refused(classifier: TfliteClassifier) -> None:
    with pytest.raises(TypeError, match="3072 values of uint8, must be 49152"):
        classifier.load(np.zeros((1, 32, 32, 3), np.uint8))


def test_an_input_may_lie_anyhow_in_memory(classifier: TfliteClassifier) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    classifier.load(picture[:, ::-1])
    mirrored = classifier.invoke()
    classifier.load(np.ascontiguousarray(picture[:, ::-1]))
    assert np.array_equal(mirrored, classifier.invoke())


def test_outputs_are_the_callers_to_keep(classifier: TfliteClassifier) -> None:
    classifier.load(np.zeros((1, 128, 128, 3), np.uint8))
    first = classifier.invoke()
    before = first.copy()
    classifier.load(np.full((1, 128, 128, 3), 255, np.uint8))
    classifier.invoke()
    assert np.array_equal(first, before)


def test_after_close_it_says_so(classifier: TfliteClassifier) -> None:
    classifier.close()
    classifier.close()
    with pytest.raises(EngineError, match="closed"):
        classifier.invoke()


def test_a_model_the_runtime_refuses_is_an_engine_error(runtime: TfliteRuntime) -> None:
    with pytest.raises(EngineError, match="refused the model"):
        TfliteClassifier(runtime, b"nothing of the kind")


def test_the_golden_inputs_pass_on_the_cpu(classifier: TfliteClassifier, sealed: Bundle) -> None:
    prep = Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input)
    report = golden.require(sealed, classifier, prep)
    assert report.cases == 4
    assert report.worst_pixel == 0
    assert report.worst_output <= sealed.manifest.golden.measured_spread


def test_an_engine_that_answers_too_little_is_found(classifier: TfliteClassifier, sealed: Bundle) -> None:
    inputs = golden.prepare(sealed, Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input))
    case = dataclasses.replace(inputs.cases[0], expected=inputs.cases[0].expected[:7])
    with pytest.raises(EngineError, match="1001 outputs to a golden input, must be 7"):
        case.answer_of(classifier)


def test_an_engine_that_answers_wrongly_is_found(classifier: TfliteClassifier, sealed: Bundle) -> None:
    class Constant:
        engine = "constant"

        def load(self, tensor: object) -> None: ...

        def invoke(self) -> NDArray[np.generic]:
            return np.full((1, 1001), 128, np.uint8)

        def close(self) -> None: ...

    prep = Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input)
    with pytest.raises(EngineError, match=r"wrong answer to a golden input: golden0-frame\.png: outputs differ"):
        golden.require(sealed, Constant(), prep)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("input", {"width": 224}, "input shape: the model has"),
        ("input", {"dtype": "int8"}, "input dtype: the model has uint8, the manifest int8"),
        ("output", {"classes": 10}, "number of outputs: the model has 1001"),
    ],
)
def test_a_manifest_that_lies_about_the_model_is_found(
    classifier: TfliteClassifier, sealed: Bundle, part: str, change: dict[str, object], message: str
) -> None:
    lie = msgspec.structs.replace(getattr(sealed.manifest, part), **change)
    with pytest.raises(BundleError, match=message):
        check_details(classifier, msgspec.structs.replace(sealed.manifest, **{part: lie}))


def test_pictures_are_classified(sealed: Bundle, shared: Path) -> None:
    from edge.images import read_image

    pipeline = build_pipeline(sealed, Engine(device="cpu"), Decisions())
    result = pipeline.process(Frame(read_image(shared / "models" / "parrot.jpg"), 0, *stamp()))
    assert result.label == "macaw"
    assert result.fallback is None
    assert result.engine.endswith("cpu, 2 threads")
    assert result.latency_ms.total >= result.latency_ms.inference > 0


class TestEdgeTpu:
    """With a software replacement for libedgetpu, never with a real Coral (docs/hardware-status.md)."""

    @pytest.fixture
    def with_twin(self, sealed: Bundle, shared: Path, tmp_path: Path) -> Bundle:
        """The good bundle with Coral's compiled model."""
        manifest = msgspec.structs.replace(
            sealed.manifest,
            edgetpu=EdgeTpu(
                model="model_edgetpu.tflite",
                log="compiler.log",
                compiler_version="recorded",
                operators_on_tpu=31,
                operators_on_cpu=0,
            ),
        )
        twin = shared / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
        files = {entry.name: sealed.contents[entry.name] for entry in sealed.manifest.files}
        files |= {"model_edgetpu.tflite": twin.read_bytes(), "compiler.log": b"recorded"}
        return seal(tmp_path / "twin", manifest, files)

    @pytest.fixture
    def answering(self, with_twin: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the software Edge TPU give the right answers to the golden inputs."""
        monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
        prep = Preprocessor(with_twin.manifest.preprocessing, with_twin.manifest.input)
        cases = golden.prepare(with_twin, prep).cases
        write_answers(tmp_path, {hash_tensor(case.tensor): case.expected.astype(np.uint8).tobytes() for case in cases})
        write_script(tmp_path, Script())

    def test_the_compiled_twin_serves(
        self, with_twin: Bundle, edgetpu_library: Path, answering: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        opened = open_classifier(with_twin, Engine(edgetpu_library=str(edgetpu_library)))
        classifier, fallback = opened.classifier, opened.fallback
        assert classifier.engine.endswith("edgetpu")
        assert fallback is None
        assert caplog.text == ""

    @pytest.mark.parametrize("trouble", ["missing library", "refuses", "wrong answers", "fails to answer"])
    def test_where_it_fails_the_cpu_serves_and_says_so_once(
        self,
        with_twin: Bundle,
        edgetpu_library: Path,
        answering: None,
        tmp_path: Path,
        trouble: str,
        caplog: pytest.LogCaptureFixture,
        picture_bgr: NDArray[np.uint8],
    ) -> None:
        modes: dict[str, Mode] = {"refuses": "refuse", "wrong answers": "garbage", "fails to answer": "error"}
        library = edgetpu_library
        if trouble == "missing library":
            library = tmp_path / "nowhere.so"
        else:
            write_script(tmp_path, Script(mode=modes[trouble]))
        pipeline = build_pipeline(with_twin, Engine(edgetpu_library=str(library)), Decisions())
        results = [pipeline.process(Frame(picture_bgr, number, *stamp())) for number in range(3)]
        assert all(result.fallback and result.engine.endswith("cpu, 2 threads") for result in results)
        assert caplog.text == ""  # the caller reports it: the supervisor by its state, the commands in a line

    def test_a_bundle_without_a_twin_is_no_fallback_unless_the_tpu_was_asked_for(self, sealed: Bundle) -> None:
        assert open_classifier(sealed, Engine(device="auto")).fallback is None
        assert "no model compiled for the Edge TPU" in str(open_classifier(sealed, Engine(device="usb:0")).fallback)
