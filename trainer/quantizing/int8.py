"""Make the trained float model int8 with answers as close to the float ones as possible, and measure the difference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, OutputTensor, Preprocessing
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from trainer.dataset.photo_set import PhotoSet
from trainer.learning.predict import Predictor
from trainer.measuring.int8_model import logits_of, run_int8, tensors_of
from trainer.networks.backbone import fold_batch_norm
from trainer.progress import Progress
from trainer.quantizing.convert import best_range, finish, observe_ranges, spread, tighten
from trainer.quantizing.equalize import equalize
from trainer.quantizing.layer_errors import LayerNoise, collect_values, compare_layers
from trainer.quantizing.rounding import round_weights

# Of the representative photos; twice as many moved no figure on TrashNet.
ROUNDING_PHOTOS = 40
COMPARED_PHOTOS = 16
# Of validation accuracy: from here on narrower ranges are tried, which costs a second conversion.
MAX_LOSS = 0.01


@dataclass(frozen=True, slots=True)
class Int8:
    """The int8 model.

    model: the .tflite.
    classifier: the same, in the device's runtime.
    tensors: its input and output, for the manifest.
    val_logits: on the validation photos, float32 (photos, classes).
    val_float_logits: the float model's, on the same photos.
    layers: what each layer lost.
    remedy: what was done about a loss; None if nothing had to be.
    """

    model: bytes
    classifier: TfliteClassifier
    tensors: tuple[InputTensor, OutputTensor]
    val_logits: NDArray[np.float32]
    val_float_logits: NDArray[np.float32]
    layers: tuple[LayerNoise, ...]
    remedy: str | None


def to_int8(
    model: Any,
    spec: Preprocessing,
    photos: PhotoSet,
    representative: NDArray[np.int64],
    progress: Progress,
    threads: int,
) -> Int8:
    """Fold, equalize, round and convert a copy of the Keras `model` (normalised pixels -> logits). If more than a
    point of validation accuracy is lost, narrower ranges of its activations are tried, and the better of the two is
    kept."""
    pixels = photos.pixels
    float_logits = Predictor(model, spec).predict(pixels, photos.val)
    some = spread(representative, ROUNDING_PHOTOS)
    work = fold_batch_norm(model)
    equalize(work, spec, pixels, some)
    with progress.stage("rounding weights", len(some)) as advance:
        round_weights(work, spec, pixels, some, advance)
    progress.say(f"quantizing to int8 on {len(representative)} photos")
    ranged = observe_ranges(work, spec, pixels, representative)
    best = _Candidate(finish(ranged), ranged, spec, photos, threads)
    lost = _accuracy(float_logits, photos) - best.accuracy
    remedy = None
    if lost > MAX_LOSS:
        values = collect_values(ranged, spec, pixels, some)
        narrow = tighten(ranged, {name: best_range(seen) for name, seen in values.items()})
        other = _Candidate(finish(narrow), narrow, spec, photos, threads)
        better = (other.accuracy, -other.error(float_logits)) > (best.accuracy, -best.error(float_logits))
        kept = "these ranges were" if better else "the plain ranges were"
        remedy = (
            f"int8 lost {lost:.1%} of the validation photos; with activation ranges that cut rare extremes off it "
            f"loses {_accuracy(float_logits, photos) - other.accuracy:.1%}; {kept} kept"
        )
        progress.say(remedy)
        best = other if better else best
    compared = spread(photos.val, COMPARED_PHOTOS)
    rows = compare_layers(best.ranged, best.model, spec, pixels, compared)
    return Int8(best.model, best.classifier, best.tensors, best.logits, float_logits, rows, remedy)


class _Candidate:
    """One int8 model and its answers on the validation photos."""

    def __init__(self, model: bytes, ranged: bytes, spec: Preprocessing, photos: PhotoSet, threads: int) -> None:
        self.model, self.ranged = model, ranged
        self.classifier = TfliteClassifier(load_runtime(), model, threads=threads)
        self.tensors = tensors_of(self.classifier)
        raw = run_int8(self.classifier, spec, self.tensors[0], photos.pixels, photos.val, lambda _: None)
        self.logits = logits_of(raw, self.tensors[1])
        self.accuracy = _accuracy(self.logits, photos)

    def error(self, float_logits: NDArray[np.float32]) -> float:
        """Return the mean square difference of the logits."""
        return float(np.square(self.logits - float_logits).mean())


def _accuracy(logits: NDArray[np.float32], photos: PhotoSet) -> float:
    return float((logits.argmax(axis=1) == photos.labels[photos.val]).mean())
