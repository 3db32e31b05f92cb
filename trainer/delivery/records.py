"""What is handed on between learning, measuring, the report and the bundle."""

from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import Preprocessing
from trainer.dataset.photo_set import PhotoSet
from trainer.learning.learn import Learned
from trainer.measuring.metrics import expected_calibration_error, reliability
from trainer.measuring.scaling import Scaling
from trainer.measuring.threshold import Threshold
from trainer.options import Options
from trainer.prepare import Data
from trainer.progress import Progress
from trainer.report.build import Evaluation
from trainer.stage_clock import Clock


@dataclass(frozen=True, slots=True)
class Delivery:
    """What training hands over. weights: the file that it began from; folder: for temporary files."""

    options: Options
    spec: Preprocessing
    data: Data
    photos: PhotoSet
    learned: Learned
    weights: Path | None
    folder: Path
    progress: Progress
    clock: Clock


@dataclass(frozen=True, slots=True)
class Figures:
    """The finished model on validation and test photos: scores float32 (photos, classes) as the device
    computes them, without the scaling, and of the float model."""

    scaling: Scaling
    threshold: Threshold
    test: Evaluation
    validation: Evaluation

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error on the test photos."""
        return expected_calibration_error(reliability(self.test.truth, self.test.scores))
