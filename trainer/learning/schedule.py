"""Plan how long to train and how fast: the learning rate of every step, and what fits into a given time."""

import math
import time
from dataclasses import dataclass

WARM_UP = 0.1
# More than this many epochs gained nothing on TrashNet, however much time there was.
MAX_EPOCHS_IN_BUDGET = 24
# Of fine-tuning: an epoch goes over few photos more than once, as few photos need as many steps as 1,150 do. Measured
# on sets of 434 and 680 training photos: 10 passes 95.1 and 92.8 %, 30 passes 97.6 and 94.3 % of the test photos.
LEAST_STEPS = 36


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps and rates of one training. The rate rises over the first tenth of the steps and falls on a cosine to 0.

    steps: in all.
    steps_per_epoch: of one pass over the photos.
    peak: AdamW's highest rate.
    """

    steps: int
    steps_per_epoch: int
    peak: float

    def rate(self, step: int) -> float:
        """Return the learning rate of `step`, 0..steps-1."""
        warm_up = max(1, round(WARM_UP * self.steps))
        if step < warm_up:
            return self.peak * (0.1 + 0.9 * step / warm_up)
        progress = (step - warm_up) / max(1, self.steps - warm_up)
        return self.peak * 0.5 * (1 + math.cos(math.pi * progress))


class Deadline:
    """A moment on the monotonic clock, and the seconds to keep free before it for what follows training."""

    def __init__(self, ends: float, reserve_s: float = 0.0) -> None:
        self.ends = ends
        self.reserve_s = reserve_s

    def left_s(self) -> float:
        """Return the seconds that may still be spent on training; negative when it is over."""
        return self.ends - self.reserve_s - time.monotonic()


def plan_for(left_s: float, step_s: float, validation_s: float, steps_per_epoch: int, peak: float) -> Plan:
    """Return the longest plan for `left_s` seconds, given what a step and a validation cost: at most 24 epochs, whole
    ones if at least one fits; no step if not a tenth of an epoch fits."""
    epoch_s = steps_per_epoch * step_s + validation_s
    epochs = min(MAX_EPOCHS_IN_BUDGET, math.floor(left_s / epoch_s))
    if epochs >= 1:
        return Plan(epochs * steps_per_epoch, steps_per_epoch, peak)
    steps = max(0, math.floor((left_s - validation_s) / step_s))
    return Plan(steps if steps >= steps_per_epoch / 10 else 0, steps_per_epoch, peak)
