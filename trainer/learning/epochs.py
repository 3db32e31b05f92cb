"""What passes over the training photos came to: one epoch, the best state, the choice, how far it is, the history."""

import math
from dataclasses import dataclass

from trainer.learning.schedule import Plan
from trainer.measuring.paired import SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training photos, or several if they are few.

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
class Choice:
    """The last state of a training against its rival: the one that named most validation photos rightly.

    last, rival: their epochs; 0 is the start.
    photos: the validation photos.
    only_last, only_rival: how many of them only the one or the other named rightly.
    p: McNemar's exact p value; 1 if they never differ.
    learned: whether the training loss fell, and the validation loss of the last state is a number.
    share: of the way from the start to the end of the training that the last state is at, 0..1.
    """

    last: int
    rival: int
    photos: int
    only_last: int
    only_rival: int
    p: float
    learned: bool
    share: float = 1.0

    @property
    def keeps_last(self) -> bool:
        """Return whether the last state is kept: if it learned, unless the rival is better beyond chance."""
        # The rates have fallen to zero by then, so it is the best guess before anybody looks. On one set the head had 6
        # of 96 validation photos more, and the network that was thrown away for it was 2.5 points better on the test.
        return self.last == self.rival or (self.learned and self.p >= SIGNIFICANT)


@dataclass(frozen=True, slots=True)
class Best:
    """A state of a training, the best by what is known.

    val_accuracy, val_loss: on the validation photos.
    epoch: its number; 0 for the start.
    right: for each validation photo, whether it was named rightly.
    epochs: all that were trained.
    choice: why it and no other is kept; None if nothing was trained.
    """

    val_accuracy: float
    val_loss: float
    epoch: int
    right: tuple[bool, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    choice: Choice | None = None

    def beats(self, other: "Best") -> bool:
        """Compare by accuracy, then by log-loss; a loss that is not finite never wins."""
        finite = math.isfinite(self.val_loss)
        return finite and (self.val_accuracy, -self.val_loss) > (other.val_accuracy, -other.val_loss)


@dataclass(slots=True)
class State:
    """Progress of a training.

    step: steps done.
    plan: of all steps.
    best: the best state on the validation photos so far.
    last: that of the last epoch that is over.
    epochs: those that are over.
    loss_sum, loss_steps: of this epoch.
    """

    step: int
    plan: Plan
    best: Best
    last: Best | None = None
    epochs: tuple[Epoch, ...] = ()
    loss_sum: float = 0.0
    loss_steps: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """How a network learned.

    epochs: in order; none if the head alone was trained.
    head_accuracy: on validation photos before fine-tuning; None from scratch.
    kept: the epoch whose weights are in the bundle; 0 for the head alone.
    choice: why that one; None if the head alone was trained.
    joined: how many validation photos the network in the bundle learned from as well, in a second training; 0: none.
        All of the above is from before that.
    """

    epochs: tuple[Epoch, ...]
    head_accuracy: float | None
    kept: int
    choice: Choice | None = None
    joined: int = 0
