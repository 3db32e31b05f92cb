"""Build the concrete engine and its pipeline from the settings."""

from dataclasses import dataclass

from edge.bundle.store import Bundle, open_bundle
from edge.config.running import Decisions, Engine
from edge.config.sections import Region
from edge.config.settings import Settings
from edge.decision import Decider
from edge.errors import BundleError, EngineError, MissingPackageError
from edge.events.labels import background_of, check_labels, thresholds_of
from edge.inference import golden
from edge.inference.base import Classifier
from edge.inference.edgetpu import load_edgetpu
from edge.inference.guard import GuardedClassifier
from edge.inference.model_limits import MEMORY_BYTES
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.processes.edgetpu_trial import why_unusable
from edge.processes.fork import memory_limit
from edge.worker.pipeline import Pipeline


def load_libraries(engine: Engine) -> None:
    """Load what opening an engine needs, so that opening takes only its own time. Raises MissingPackageError."""
    _require_opencv()
    load_runtime(engine.runtime)


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """A classifier that has passed its golden inputs.

    classifier: the engine, under guard.
    on_edgetpu: does it compute on an Edge TPU?
    fallback: why it is a lesser one than the settings name, None if it is not.
    """

    classifier: Classifier
    on_edgetpu: bool
    fallback: str | None = None


def open_classifier(bundle: Bundle, engine: Engine) -> OpenEngine:
    """Open the best engine that the settings, the bundle and the machine allow. Raises EngineError or
    MissingPackageError."""
    runtime = load_runtime(engine.runtime)
    fallback = None
    if engine.device != "cpu":
        # With "auto" a bundle without a compiled model is complete, and the CPU no fallback.
        wanted = engine.device != "auto"
        if bundle.edgetpu_model is None:
            fallback = "the bundle has no model compiled for the Edge TPU" if wanted else None
        else:
            try:
                return OpenEngine(open_on_edgetpu(bundle, engine), on_edgetpu=True)
            except EngineError as error:
                fallback = str(error)
    with memory_limit(MEMORY_BYTES):
        classifier = TfliteClassifier(runtime, bundle.model, threads=engine.threads)
        check_details(classifier, bundle.manifest)
        guarded = _guarded(bundle, classifier, canary=False)
    return OpenEngine(guarded, on_edgetpu=False, fallback=fallback)


def open_with_labels(settings: Settings) -> Bundle:
    """Open the bundle of `settings`. Raises as open_bundle does, and ConfigError if the settings name labels that it
    does not have."""
    bundle = open_bundle(settings.bundle)
    check_labels(settings, bundle.labels)
    return bundle


def open_pipeline(settings: Settings) -> Pipeline:
    """Open the bundle and the engine of `settings`, for programs without a supervisor. Raises as open_with_labels and
    build_pipeline do, but BundleError if the CPU cannot run the model: trying again cannot help."""
    from edge.worker.locating import open_cutter

    bundle, engine = open_with_labels(settings), settings.engine
    why = None
    # An Edge TPU that hangs or crashes while it is opened would take this program along: another process tries first.
    if engine.device != "cpu" and bundle.edgetpu_model is not None:
        why = why_unusable(settings)
    if why is not None:
        engine = engine.at("cpu")
    try:
        pipeline = build_pipeline(bundle, engine, settings.decision, settings.camera.region, fallback=why)
    except (EngineError, BundleError) as error:
        raise BundleError(f"bundle {settings.bundle}: {error}") from error
    pipeline.cutter = open_cutter(bundle.manifest, settings)
    return pipeline


def open_on_edgetpu(bundle: Bundle, engine: Engine) -> Classifier:
    """Open the bundle's compiled model on the Edge TPU that engine.device names, and pass the golden inputs. Raises
    EngineError if that fails."""
    if bundle.edgetpu_model is None:
        raise EngineError("the bundle has no model compiled for the Edge TPU")
    runtime = load_runtime(engine.runtime)
    device = "" if engine.device in ("auto", "edgetpu", "any") else engine.device
    delegate = load_edgetpu(runtime, library=engine.edgetpu_library, device=device)
    classifier = TfliteClassifier(
        runtime, bundle.edgetpu_model, delegate=delegate, processor=f"edgetpu{':' if device else ''}{device}"
    )
    try:
        check_details(classifier, bundle.manifest)
    # Not the bundle's error, which would end the service: the model for the CPU in it may be sound.
    except BundleError as error:
        raise EngineError(f"the compiled model does not fit the bundle: {error}") from error
    return _guarded(bundle, classifier, canary=True)


def _guarded(bundle: Bundle, classifier: TfliteClassifier, *, canary: bool) -> Classifier:
    """Put the classifier under guard, and pass the golden inputs."""
    inputs = golden.prepare(bundle, Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input))
    guarded = GuardedClassifier(classifier, inputs, canary=canary)
    inputs.require(guarded)
    return guarded


def build_pipeline(
    bundle: Bundle,
    engine: Engine,
    decision: Decisions,
    region: Region | None = None,
    *,
    fallback: str | None = None,
) -> Pipeline:
    """Open the engine and join the stages. Raises as open_classifier does.

    region: as camera.region.
    fallback: why `engine` is a lesser one than the settings name, if the caller already knows.
    """
    _require_opencv()
    opened = open_classifier(bundle, engine)
    thresholds = thresholds_of(bundle.labels, decision, bundle.thresholds)
    return Pipeline(
        bundle,
        Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input, region=region),
        opened.classifier,
        Decider(bundle.labels, thresholds=thresholds, smoothing=decision.smoothing, top=decision.top),
        background=background_of(bundle.labels, decision.background),
        on_edgetpu=opened.on_edgetpu,
        fallback=fallback or opened.fallback,
    )


def _require_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(f"OpenCV does not import ({error}): pip install opencv-python-headless") from error
