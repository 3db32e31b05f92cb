"""What every engine can do."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Tensor


class Classifier(Protocol):
    """A model that is loaded and ready. Used by one thread at a time."""

    @property
    def engine(self) -> str:
        """Runtime, version and processor in a few words, for every result."""

    def load(self, tensor: Tensor) -> None:
        """Take the input of the next `invoke`: quantized values, (1, height, width, 3) or (height, width, 3), in the
        model's dtype. A guard keeps it, without a copy, until the second `load` after this one: leave it as it is
        until then."""

    def invoke(self) -> NDArray[np.generic]:
        """Run the model on what was loaded; the raw output, a copy to be kept and read. Raises EngineError."""

    def close(self) -> None:
        """Free the model; safe to call twice. Any later call raises EngineError."""


class OpenClassifier(Classifier, Protocol):
    """An engine that also shows where it will write: what a guard needs to tell an answer from its absence."""

    def mark_output(self, mark: Callable[[NDArray[np.generic]], None]) -> None:
        """Call `mark` with the output tensor's own memory, before `invoke`; it must not keep it."""
