"""What training hands over to the steps after it."""

from dataclasses import dataclass

from trainer.learning.learn import Learned
from trainer.prepare import Data
from trainer.run_context import RunContext


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished training.

    run: what it was given.
    data: its photos.
    learned: its network.
    """

    run: RunContext
    data: Data
    learned: Learned
