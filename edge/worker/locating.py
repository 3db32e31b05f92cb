"""Build what finds things in frames from the settings."""

from pathlib import Path

from edge.bundle.manifest import Manifest
from edge.config.locating import Locate
from edge.config.running import Engine
from edge.config.sections import Region
from edge.errors import MissingInputError, ModelError
from edge.inference.edgetpu import load_edgetpu
from edge.inference.model_limits import MEMORY_BYTES
from edge.inference.runtime import load_runtime
from edge.locating.detector import DetectorModel, is_compiled
from edge.locating.motion import MotionFinder
from edge.locating.places import Cutting
from edge.preprocess import Preprocessor
from edge.printable import printable
from edge.processes.fork import memory_limit
from edge.storage import read_bounded
from edge.worker.cutting import Cutter

# Fewer pixels hold nothing that could be named.
_LEAST_CUT_PX = 16
# A network whose photos were squeezed to its input learned things as photos of 4:3 or 3:2 show them then. Parts of up
# to this shape look no stranger, and hold less of the surroundings: of cut-outs of TrashNet at an eighth of the width
# 50 % were named rightly, and 39 % of them in squares (542 frames of tools/bench_locating.py, November 2026).
_PHOTO_ASPECT = 1.5
# EfficientDet-Lite4, the largest of its family, has 20 MB.
_MOST_BYTES = 256 << 20


def open_cutter(manifest: Manifest, engine: Engine, region: Region | None, locate: Locate) -> Cutter | None:
    """Open what `locate` names; None if that is nothing. Raises MissingInputError and ModelError for a detector that is
    not there, or is none, and EngineError."""
    if locate.method == "off":
        return None
    preprocessor = Preprocessor(manifest.preprocessing, manifest.input, region=region)
    aspect = manifest.input.width / manifest.input.height
    slack = _PHOTO_ASPECT if manifest.preprocessing.resize == "squash" else 1.0
    cutting = Cutting(padding=locate.padding, least_px=_LEAST_CUT_PX, aspect=aspect, slack=slack)
    if locate.method == "motion":
        motion = MotionFinder(least=locate.min_size, still_s=locate.still_s)
        return Cutter(preprocessor, cutting, most=locate.boxes, motion=motion)
    return Cutter(preprocessor, cutting, most=locate.boxes, detector=open_detector(locate, engine))


def open_detector(locate: Locate, engine: Engine) -> DetectorModel:
    """Open the detector on the processor that `locate` names. Raises as open_cutter does."""
    assert locate.model is not None
    try:
        model = read_bounded(Path(locate.model), _MOST_BYTES)
    except OSError as error:
        why = error.strerror or str(error)
        raise MissingInputError(f"locate.model {printable(locate.model)}: cannot read: {why}") from error
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
    except ModelError as error:
        raise ModelError(f"locate.model {printable(locate.model)}: {error}") from error
