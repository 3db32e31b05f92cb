"""Build what finds things in frames from the settings."""

from pathlib import Path

from edge.bundle.manifest import Manifest
from edge.config.locating import Locate
from edge.config.running import Engine
from edge.config.settings import Settings
from edge.errors import EngineError, MissingInputError, ModelError
from edge.inference.edgetpu import load_edgetpu
from edge.inference.model_limits import MEMORY_BYTES
from edge.inference.runtime import load_runtime
from edge.locating.cuts import device_cutting, doubt_about
from edge.locating.detector import MOST_BYTES, DetectorModel, is_compiled
from edge.locating.motion import MotionFinder
from edge.preprocess import Preprocessor
from edge.printable import printable
from edge.processes.fork import memory_limit
from edge.storage import read_bounded
from edge.worker.cutting import Cutter


def open_cutter(manifest: Manifest, settings: Settings) -> Cutter | None:
    """Open what [locate] names; None if that is nothing.

    manifest: of the bundle that classifies what is found. Raises as open_detector does.
    """
    locate = settings.locate
    if locate.method == "off":
        return None
    preprocessor = Preprocessor(manifest.preprocessing, manifest.input, region=settings.camera.region)
    cutting = device_cutting(manifest, locate.padding)
    if locate.method == "motion":
        motion = MotionFinder(least=locate.min_size, still_s=locate.still_s)
        return Cutter(preprocessor, cutting, most=locate.boxes, motion=motion)
    return Cutter(preprocessor, cutting, most=locate.boxes, detector=open_detector(locate, settings.engine))


def doubt_of(manifest: Manifest, locate: Locate) -> str | None:
    """Return in one line how the settings show a bundle other pictures than it learned; None if they do not."""
    locates = locate.method != "off"
    return doubt_about(manifest, locates=locates, padding=locate.padding, min_size=locate.min_size)


def open_detector(locate: Locate, engine: Engine) -> DetectorModel:
    """Open the detector on the processor that `locate` names.

    Raises MissingInputError if it cannot be read, ModelError if it is none or the CPU cannot run it, EngineError for an
    Edge TPU that fails.
    """
    assert locate.model is not None
    name = f"locate.model {printable(locate.model)}"
    try:
        model = read_bounded(Path(locate.model), MOST_BYTES)
    except OSError as error:
        raise MissingInputError(f"{name}: cannot read: {error.strerror or error}") from error
    device = locate.model_device
    if device == "auto":
        device = "any" if is_compiled(model) else "cpu"
    runtime = load_runtime(engine.runtime)
    threshold, least = locate.model_threshold, locate.min_size
    try:
        if device != "cpu":
            wanted = "" if device in ("any", "edgetpu") else device
            delegate = load_edgetpu(runtime, library=engine.edgetpu_library, device=wanted)
            return DetectorModel(runtime, model, threshold=threshold, least=least, delegate=delegate)
        with memory_limit(MEMORY_BYTES):
            return DetectorModel(runtime, model, threshold=threshold, least=least, threads=engine.threads)
    except EngineError as error:
        # On the CPU trying again cannot help.
        raise (ModelError if device == "cpu" else EngineError)(f"{name}: {error}") from error
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
