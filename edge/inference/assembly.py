"""Assemble a new bundle from a model and what its maker knows: golden answers, files, manifest, seal.

Trainer and importer both end here. It lies beside `golden`, above edge.bundle, since recording golden answers runs the
model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge import __version__
from edge.bundle.cut import Cut
from edge.bundle.manifest import (
    SCHEMA,
    Architecture,
    Calibration,
    EdgeTpu,
    Golden,
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

MODEL_NAME = "model.tflite"
LABELS_NAME = "labels.txt"
TAXONOMY_NAME = "taxonomy.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What only the maker of a bundle knows.

    - name: for people.
    - kind, source, notes: of its `Origin`.
    - model: the int8 .tflite for the CPU.
    - labels: in the order of the model's outputs.
    - tensors: the model's input and output.
    - edgetpu: the compiled model's record in the manifest, and its files.
    - taxonomy: the bytes of the CSV of what the labels stand for, already checked.
    - the rest: as in `Manifest`.
    """

    name: str
    kind: Literal["trained", "imported"]
    source: str
    notes: Sequence[str] = ()
    model: bytes
    labels: Sequence[str]
    architecture: Architecture | None = None
    preprocessing: Preprocessing
    tensors: tuple[InputTensor, OutputTensor]
    calibration: Calibration = field(default_factory=Calibration)
    metrics: Metrics | None = None
    edgetpu: tuple[EdgeTpu, dict[str, bytes]] | None = None
    taxonomy: bytes | None = None
    cut: Cut | None = None


def assemble(out: Path, parts: Parts, runtime: TfliteRuntime, frames_bgr: Sequence[Pixels]) -> Bundle:
    """Record golden inputs with a model of our own and seal the bundle for `out`; edge.bundle.write.save puts it there.

    frames_bgr: candidates for golden inputs, uint8 (height, width, 3), B, G, R. Raises BundleError.
    """
    preprocessor = Preprocessor(parts.preprocessing, parts.tensors[0])
    return join(out, parts, *golden.make(runtime, parts.model, preprocessor, frames_bgr))


def join(out: Path, parts: Parts, checks: Golden, files: Mapping[str, bytes]) -> Bundle:
    """Seal the bundle for `out`, whose golden inputs are recorded already. The model is not run. Raises BundleError.

    checks, files: what edge.inference.golden.make returned.
    """
    tensor, output = parts.tensors
    named = {MODEL_NAME: parts.model, LABELS_NAME: "".join(f"{label}\n" for label in parts.labels).encode()}
    edgetpu, compiled = parts.edgetpu or (None, {})
    taxonomy = {} if parts.taxonomy is None else {TAXONOMY_NAME: parts.taxonomy}
    manifest = Manifest(
        schema=SCHEMA,
        name=parts.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=Origin(kind=parts.kind, source=parts.source, tool=f"fieldfare {__version__}", notes=tuple(parts.notes)),
        architecture=parts.architecture,
        model=MODEL_NAME,
        labels=LABELS_NAME,
        input=tensor,
        preprocessing=parts.preprocessing,
        output=output,
        calibration=parts.calibration,
        metrics=parts.metrics,
        golden=checks,
        edgetpu=edgetpu,
        taxonomy=TAXONOMY_NAME if taxonomy else None,
        cut=parts.cut,
        files=(),
    )
    return seal(out, manifest, {**files, **named, **compiled, **taxonomy})
