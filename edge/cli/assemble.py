"""Settings -> concrete sources, engines and sinks. The one place that knows them all."""

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

from edge.bundle import golden
from edge.bundle.store import Bundle
from edge.capture.base import FrameSource
from edge.config import Camera, Decisions, Engine, Output
from edge.decision import Decider
from edge.errors import BundleError, ConfigError, EngineError, MissingInputError, MissingPackageError
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

SOURCES = "a folder, a picture or video file, /dev/videoN, picamera2[:N] or synthetic"


def open_source(camera: Camera) -> FrameSource:
    """The source that camera.source names. Raises ConfigError where it names none, else what the source
    raises."""
    if not camera.realtime and (camera.source.startswith(("picamera2", "/dev/"))):
        raise ConfigError(f"camera {camera.source} cannot run flat out: leave realtime on")
    numbered = re.fullmatch(r"picamera2(?::(\d+))?", camera.source)
    if numbered:
        from edge.capture.picamera import PicameraSource

        return PicameraSource(
            int(numbered[1] or 0), width=camera.width, height=camera.height, fps=camera.fps, wait_s=camera.patience_s
        )
    if camera.source == "synthetic":
        from edge.capture.synthetic import SyntheticSource

        fps = (camera.fps or 30.0) if camera.realtime else None
        return SyntheticSource(width=camera.width, height=camera.height, fps=fps)
    if camera.source.startswith("/dev/"):
        from edge.capture.v4l2 import V4l2Source

        return V4l2Source(
            Path(camera.source),
            width=camera.width,
            height=camera.height,
            fps=camera.fps,
            wait_s=camera.patience_s,
        )
    return _open_replay(Path(camera.source), camera)


def _open_replay(path: Path, camera: Camera) -> FrameSource:
    from edge.capture.replay import FolderSource, VideoSource
    from edge.images import is_image_name

    if path.is_dir() or is_image_name(path):
        if not path.exists():
            raise MissingInputError(f"{path}: no such picture")
        # Pictures have no rate of their own: without one asked for, each is taken as it comes.
        return FolderSource(path, fps=camera.fps if camera.realtime else None, loop=camera.loop)
    if path.exists():
        return VideoSource(path, realtime=camera.realtime, fps=camera.fps, loop=camera.loop)
    raise MissingInputError(f"source {camera.source!r} is not there: give {SOURCES}")


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
