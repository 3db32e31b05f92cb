"""What passes over the training photos came to: one epoch, the best state, the whole history."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training photos.

    number: from 1.
    train_loss: of augmented photos with smoothed labels, so not to be compared with val_loss.
    val_loss, val_accuracy: of the averaged weights, on the validation photos.
    learning_rate: of the last step.
    """

    number: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Best:
    """The best state that a training saw.

    val_accuracy, val_loss: on the validation photos.
    epoch: its number; 0 if the start was best.
    epochs: all that were trained.
    """

    val_accuracy: float
    val_loss: float
    epoch: int
    epochs: tuple[Epoch, ...] = ()

    def beats(self, other: "Best") -> bool:
        """Compare by accuracy, then by log-loss; a loss that is not finite never wins."""
        finite = math.isfinite(self.val_loss)
        return finite and (self.val_accuracy, -self.val_loss) > (other.val_accuracy, -other.val_loss)


@dataclass(frozen=True, slots=True)
class History:
    """How a network learned.

    epochs: in order; none if the head alone was trained.
    head_accuracy: on validation photos before fine-tuning; None from scratch.
    kept: the epoch whose weights are in the bundle; 0 for the head alone.
    """

    epochs: tuple[Epoch, ...]
    head_accuracy: float | None
    kept: int
