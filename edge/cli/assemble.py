"""Settings -> concrete engines and sinks. With edge.cli.sources the one place that knows them all."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from edge.bundle import golden
from edge.bundle.store import Bundle
from edge.config import Decisions, Engine, Output
from edge.decision import Decider
from edge.errors import BundleError, EngineError, MissingPackageError
from edge.inference.base import Classifier
from edge.inference.edgetpu import load_edgetpu
from edge.inference.runtime import TfliteRuntime, load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.pipeline import Pipeline
from edge.preprocess import Preprocessor
from edge.sinks.base import Sink
from edge.sinks.console import ConsoleSink
from edge.sinks.jsonl import JsonFileSink, JsonStreamSink

_log = logging.getLogger(__name__)


def open_classifier(bundle: Bundle, engine: Engine) -> tuple[Classifier, str | None]:
    """The best engine that the settings, the bundle and the machine allow, with its golden inputs passed,
    and, where it is a lesser one than asked for, why. Raises EngineError or MissingPackageError."""
    runtime = load_runtime(engine.runtime)
    preprocessor = Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input)
    fallback = None
    if engine.device != "cpu":
        wanted = engine.device != "auto"
        if bundle.edgetpu_model is None:
            fallback = "the bundle has no model compiled for the Edge TPU" if wanted else None
        else:
            try:
                return _on_edgetpu(bundle, engine, runtime, preprocessor), None
            except EngineError as error:
                fallback = str(error)
    if fallback is not None:
        _log.warning("serving from the CPU: %s", fallback)
    classifier = TfliteClassifier(runtime, bundle.model, threads=engine.threads)
    check_details(classifier, bundle.manifest)
    golden.require(bundle, classifier, preprocessor)
    return classifier, fallback


def _on_edgetpu(bundle: Bundle, engine: Engine, runtime: TfliteRuntime, preprocessor: Preprocessor) -> TfliteClassifier:
    device = "" if engine.device in ("auto", "edgetpu") else engine.device
    delegate = load_edgetpu(runtime, library=engine.edgetpu_library, device=device)
    assert bundle.edgetpu_model is not None
    classifier = TfliteClassifier(
        runtime, bundle.edgetpu_model, delegate=delegate, processor=f"edgetpu{':' if device else ''}{device}"
    )
    try:
        check_details(classifier, bundle.manifest)
    except BundleError as error:
        raise EngineError(f"the compiled model does not fit the bundle: {error}") from error
    golden.require(bundle, classifier, preprocessor)
    return classifier


def build_pipeline(bundle: Bundle, engine: Engine, decision: Decisions) -> Pipeline:
    """A pipeline with its engine open. Raises as open_classifier does."""
    _require_opencv()
    classifier, fallback = open_classifier(bundle, engine)
    threshold = bundle.manifest.calibration.threshold if decision.threshold is None else decision.threshold
    return Pipeline(
        bundle,
        Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input),
        classifier,
        Decider(bundle.labels, threshold=threshold, smoothing=decision.smoothing, top=decision.top),
        fallback=fallback,
    )


def build_sinks(output: Output, *, json_lines: bool) -> list[Sink]:
    """The sinks of a run; with json_lines standard output carries JSON and nothing else."""
    makers: list[Callable[[], Sink]] = []
    if json_lines:
        makers.append(lambda: JsonStreamSink(sys.stdout.buffer))
    elif output.console != "off":
        makers.append(lambda: ConsoleSink(sys.stdout, mode=output.console))
    if output.jsonl is not None:
        path = Path(output.jsonl)
        makers.append(lambda: JsonFileSink(path, max_bytes=output.max_mb * 1_000_000, keep=output.keep))
    return [make() for make in makers]


def _require_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(f"OpenCV does not import ({error}): pip install opencv-python-headless") from error
