"""A bundle's features and its answers, photo by photo, as one source of features.

A model that hangs ends the process by SIGALRM: see edge.cli.apart."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.store import Bundle
from edge.embedding.source import BundleFeatures, Features
from edge.errors import BundleError, EngineError
from edge.inference.model_limits import TIMEOUT_S
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.processes.fork import time_limit

_THREADS = 2


class BundleAnswers:
    """A FeatureSource whose last columns are the scores of the bundle's classes. For one thread."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError if the model cannot be run, or if its features are not found."""
        self._manifest = bundle.manifest
        self._features = BundleFeatures(bundle, threads=_THREADS)
        self.name, self.spec, self.tensor = self._features.name, self._features.spec, self._features.tensor
        self._preprocessor = Preprocessor(self.spec, self.tensor)
        try:
            with time_limit(TIMEOUT_S):
                self._classifier = TfliteClassifier(load_runtime("auto"), bundle.model, threads=_THREADS)
        except EngineError as error:
            raise BundleError(f"bundle {bundle.path}: {error}") from error
        self.labels = bundle.labels
        self.channels = self._features.channels + len(self.labels)

    def features(self, pixels: NDArray[np.uint8]) -> Features:
        """See FeatureSource.features. Raises EngineError if the runtime fails."""
        features = self._features.features(pixels)
        with time_limit(TIMEOUT_S):
            return np.hstack([features, np.stack([self._scores(picture) for picture in pixels])])

    def parted(self, features: Features) -> tuple[Features, NDArray[np.float32]]:
        """Return the features and the scores of rows that `features` made; views."""
        return features[:, : self._features.channels], features[:, self._features.channels :]

    def _scores(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._classifier.load(self._preprocessor.quantize(picture)[None])
        manifest = self._manifest
        return to_scores(self._classifier.invoke(), manifest.output, manifest.calibration).values

    def close(self) -> None:
        """Give the models' memory back. Safe to call twice."""
        self._features.close()
        self._classifier.close()
