"""Everything that training found out -> one sealed bundle."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge import __version__
from edge.bundle.manifest import (
    Architecture,
    Calibration,
    InputTensor,
    Manifest,
    Metrics,
    Origin,
    OutputTensor,
    Preprocessing,
)
from edge.bundle.store import Bundle
from edge.bundle.write import seal
from edge.inference import golden
from edge.inference.runtime import TfliteRuntime
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.edgetpu.bundling import edgetpu_part
from trainer.edgetpu.compiling import Compiled


def write_bundle(
    out: Path,
    *,
    name: str,
    source: str,
    model: bytes,
    labels: Sequence[str],
    architecture: Architecture,
    preprocessing: Preprocessing,
    tensors: tuple[InputTensor, OutputTensor],
    calibration: Calibration,
    metrics: Metrics,
    notes: Sequence[str],
    runtime: TfliteRuntime,
    golden_frames: Sequence[Pixels],
    compiled: Compiled | None,
) -> Bundle:
    """Seal the bundle for `out`; edge.bundle.write.save puts it there. golden_frames: uint8 (height, width,
    3), B, G, R. Raises BundleError."""
    tensor, output = tensors
    checks, files = golden.make(runtime, model, Preprocessor(preprocessing, tensor), golden_frames)
    files |= {"model.tflite": model, "labels.txt": "".join(f"{label}\n" for label in labels).encode()}
    edgetpu = None
    if compiled is not None:
        edgetpu, added = edgetpu_part(compiled.model, compiled.report, compiled.log)
        files |= added
    manifest = Manifest(
        schema=1,
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=Origin(kind="trained", source=source, tool=f"fieldfare {__version__}", notes=tuple(notes)),
        architecture=architecture,
        model="model.tflite",
        labels="labels.txt",
        input=tensor,
        preprocessing=preprocessing,
        output=output,
        calibration=calibration,
        metrics=metrics,
        golden=checks,
        edgetpu=edgetpu,
        files=(),
    )
    return seal(out, manifest, files)
