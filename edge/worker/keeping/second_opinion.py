"""Run a frame through another engine than the one that serves."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Manifest
from edge.errors import FieldfareError
from edge.inference.base import Classifier
from edge.postprocess import to_scores
from edge.preprocess import Preprocessor
from edge.records import Pixels

_log = logging.getLogger(__name__)


class SecondOpinion:
    """Another engine with a preprocessor of its own. Used by one thread; `took_s` may be read by any.

    took_s: how long the last frame took, 0 before the first.
    """

    def __init__(self, classifier: Classifier, preprocessor: Preprocessor, manifest: Manifest) -> None:
        self.took_s = 0.0
        self._classifier, self._preprocessor, self._manifest = classifier, preprocessor, manifest
        self._fitted_bgr = np.empty((preprocessor.height, preprocessor.width, 3), np.uint8)
        self._failed = False

    def scores(self, part_bgr: Pixels) -> NDArray[np.float32] | None:
        """Return the calibrated scores of what Pipeline.part returned; None if the engine fails, which is logged
        once."""
        if self._failed:
            return None
        began_s = time.monotonic()
        try:
            place = self._preprocessor.fit_cut(part_bgr, self._fitted_bgr)
            tensor = self._preprocessor.new_tensor()
            self._preprocessor.write(self._fitted_bgr, place, tensor)
            self._classifier.load(tensor)
            raw = self._classifier.invoke()
            values = to_scores(raw, self._manifest.output, self._manifest.calibration).values
        except FieldfareError as error:
            _log.warning("frames are not compared between the engines any more: %s", error)
            self._failed = True
            return None
        self.took_s = time.monotonic() - began_s
        return values
