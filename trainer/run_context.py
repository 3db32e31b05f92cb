"""What every step of one training needs: made once, in trainer.train, and passed on whole."""

from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import Preprocessing
from trainer.cropping.record import CropRecord
from trainer.options import Options
from trainer.progress import Progress
from trainer.stage_clock import Clock


@dataclass(frozen=True, slots=True)
class RunContext:
    """One training from its photos to its bundle.

    options: what the user chose.
    spec: how a frame becomes the network's input, here as on the device.
    weights: the file that the network starts from; None from scratch.
    folder: for temporary files; removed at the end, however the training ends.
    progress: shows stages and remarks.
    clock: notes the seconds of each stage.
    taxonomy: the CSV beside the photos of what the classes stand for; None: there is none.
    crop: how the photos were cut around boxes; None: they were not.
    """

    options: Options
    spec: Preprocessing
    weights: Path | None
    folder: Path
    progress: Progress
    clock: Clock
    taxonomy: bytes | None = None
    crop: CropRecord | None = None
