"""Compute what a bundle answers to many photos, as the device would."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.errors import BundleError, EngineError
from edge.inference.model_limits import TIMEOUT_S
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.processes.fork import time_limit


class BundleScores:
    """The calibrated scores of a bundle's int8 model for the CPU. For the main thread of a command's fork, as
    BundleFeatures is: a model that hangs ends the process.

    spec, tensor: how a photo becomes its input. labels: of the scores.
    """

    def __init__(self, bundle: Bundle, *, threads: int) -> None:
        """Raises BundleError if the model cannot be run."""
        self._manifest = bundle.manifest
        self.spec, self.tensor, self.labels = self._manifest.preprocessing, self._manifest.input, bundle.labels
        self._preprocessor = Preprocessor(self.spec, self.tensor)
        try:
            with time_limit(TIMEOUT_S):
                self._classifier = TfliteClassifier(load_runtime("auto"), bundle.model, threads=threads)
        except EngineError as error:
            raise BundleError(f"bundle {bundle.path}: {error}") from error

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 (photos, labels), 0..1, all within TIMEOUT_S. Raises EngineError if the runtime fails.

        pixels: as FeatureSource.features takes them, one photo or more."""
        with time_limit(TIMEOUT_S):
            return np.stack([self._of(picture) for picture in pixels])

    def _of(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._classifier.load(self._preprocessor.quantize(picture)[None])
        return to_scores(self._classifier.invoke(), self._manifest.output, self._manifest.calibration).values

    def close(self) -> None:
        """Give the model's memory back. Safe to call twice."""
        self._classifier.close()
