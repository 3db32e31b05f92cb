"""The protocols of inference engines."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Tensor


class Classifier(Protocol):
    """A model that is loaded and ready. Used by one thread at a time."""

    @property
    def engine(self) -> str:
        """Return runtime, version and processor in a few words, for every result."""

    def load(self, tensor: Tensor) -> None:
        """Set the input of the next `invoke`.

        tensor: quantized values, (1, height, width, 3) or (height, width, 3), in the model's dtype. It must not
        change until the second `load` after this one, as a guard borrows it so long.
        """

    def invoke(self) -> NDArray[np.generic]:
        """Run the model on the loaded input; return a copy of the raw output, which may be read-only. Raises
        EngineError."""

    def close(self) -> None:
        """Free the model; safe to call twice. Any later call raises EngineError."""


class OpenClassifier(Classifier, Protocol):
    """An engine that gives access to its output memory, so that a guard can detect an output that was not written."""

    def mark_output(self, mark: Callable[[NDArray[np.generic]], None]) -> None:
        """Call `mark` with the output tensor's own memory, before `invoke`. `mark` must keep no reference to it."""
