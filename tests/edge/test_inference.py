"""Engines on Coral's real models: the CPU, and the Edge TPU path through the runtime's real load_delegate."""

import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import golden
from edge.bundle.manifest import EdgeTpu
from edge.bundle.store import Bundle
from edge.bundle.write import seal
from edge.cli.assemble import build_pipeline, open_classifier
from edge.clock import stamp
from edge.config import Decisions, Engine
from edge.errors import BundleError, EngineError, MissingPackageError
from edge.inference.runtime import TfliteRuntime, load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.records import Frame


@pytest.fixture(scope="module")
def runtime() -> TfliteRuntime:
    return load_runtime("auto")


@pytest.fixture
def classifier(runtime: TfliteRuntime, sealed: Bundle) -> TfliteClassifier:
    return TfliteClassifier(runtime, sealed.model)


def test_litert_comes_first(runtime: TfliteRuntime) -> None:
    assert runtime.name == "litert"


def test_a_runtime_that_is_not_there_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite_runtime", None)
    with pytest.raises(MissingPackageError, match=r"fieldfare\[device\]"):
        load_runtime("tflite-runtime")


def test_the_input_is_the_interpreters_own_memory(classifier: TfliteClassifier) -> None:
    """What one `load` wrote, the next one finds: nothing was copied in between."""
    classifier.load(lambda tensor: np.copyto(tensor, 7))
    seen: list[int] = []
    classifier.load(lambda tensor: seen.append(int(tensor.max())))
    assert seen == [7]


def test_outputs_are_the_callers_to_keep(classifier: TfliteClassifier) -> None:
    classifier.load(lambda tensor: np.copyto(tensor, 0))
    first = classifier.invoke()
    before = first.copy()
    classifier.load(lambda tensor: np.copyto(tensor, 255))
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


def test_an_engine_that_answers_wrongly_is_found(classifier: TfliteClassifier, sealed: Bundle) -> None:
    class Constant:
        engine = "constant"

        def load(self, fill: object) -> None: ...

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
        ("input", {"dtype": "int8"}, "input dtype: the model has uint8, the manifest says int8"),
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


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).with_name("software_edgetpu.c")
    library = tmp_path_factory.mktemp("tpu") / "libsoftware_edgetpu.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, source]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=120)
    return library


class TestEdgeTpu:
    """Through a software stand-in for libedgetpu; no Coral was seen (docs/hardware-status.md)."""

    @pytest.fixture
    def with_twin(self, sealed: Bundle, shared: Path, tmp_path: Path) -> Bundle:
        """The good bundle with Coral's compiled twin, and one golden input, which the stand-in can answer."""
        manifest = msgspec.structs.replace(
            sealed.manifest,
            golden=msgspec.structs.replace(sealed.manifest.golden, cases=sealed.manifest.golden.cases[:1]),
            edgetpu=EdgeTpu(
                model="model_edgetpu.tflite",
                log="compiler.log",
                compiler_version="recorded",
                operators_on_tpu=31,
                operators_on_cpu=0,
            ),
        )
        twin = shared / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"
        kept = ("model.tflite", "labels.txt", "golden0-frame.png", "golden0-pixels.png")
        files = {name: sealed.contents[name] for name in kept}
        files |= {"model_edgetpu.tflite": twin.read_bytes(), "compiler.log": b"recorded"}
        return seal(tmp_path / "twin", manifest, files)

    @pytest.fixture
    def answering(self, with_twin: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The stand-in gives the right answer to the golden input."""
        answer = tmp_path / "answer"
        answer.write_bytes(np.array(with_twin.manifest.golden.cases[0].output, np.uint8).tobytes())
        monkeypatch.setenv("SOFTWARE_EDGETPU_ANSWER", str(answer))

    def test_the_compiled_twin_serves(
        self, with_twin: Bundle, library: Path, answering: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        classifier, fallback = open_classifier(with_twin, Engine(edgetpu_library=str(library)))
        assert classifier.engine.endswith("edgetpu")
        assert fallback is None
        assert caplog.text == ""

    @pytest.mark.parametrize("trouble", ["missing library", "refuses", "wrong answers", "fails to answer"])
    def test_where_it_fails_the_cpu_serves_and_says_so_once(
        self,
        with_twin: Bundle,
        library: Path,
        answering: None,
        tmp_path: Path,
        trouble: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        picture_bgr: NDArray[np.uint8],
    ) -> None:
        if trouble == "missing library":
            library = tmp_path / "nowhere.so"
        elif trouble == "refuses":
            monkeypatch.setenv("SOFTWARE_EDGETPU_REFUSE", "1")
        elif trouble == "wrong answers":
            (tmp_path / "answer").write_bytes(bytes(range(256)) * 4)
        else:
            (tmp_path / "answer").unlink()
        pipeline = build_pipeline(with_twin, Engine(edgetpu_library=str(library)), Decisions())
        results = [pipeline.process(Frame(picture_bgr, number, *stamp())) for number in range(3)]
        assert all(result.fallback and result.engine.endswith("cpu, 2 threads") for result in results)
        assert caplog.text.count("serving from the CPU") == 1

    def test_a_bundle_without_a_twin_is_no_fallback_unless_the_tpu_was_asked_for(self, sealed: Bundle) -> None:
        assert open_classifier(sealed, Engine(device="auto"))[1] is None
        assert "no model compiled for the Edge TPU" in str(open_classifier(sealed, Engine(device="usb:0"))[1])
