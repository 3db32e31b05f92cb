"""Choose which state of a training is kept, without taking chance on a few validation photos for a difference. Pure."""

import math

import numpy as np

from trainer.learning.epochs import Best, Choice, Epoch
from trainer.measuring.paired import compare_answers
from trainer.pages.words import percent


def choose(last: Best, rival: Best, epochs: tuple[Epoch, ...], share: float = 1.0) -> Choice:
    """Compare the last state of a training with `rival`, the best on the validation photos so far.

    Both carry the answers on the same photos. epochs: all that were trained, at least one. share: as in Choice."""
    answers = compare_answers(np.array(last.right, np.bool_), np.array(rival.right, np.bool_))
    # Two or three validation photos cannot show that a network broke down. The losses can.
    learned = learned_something(epochs) and math.isfinite(last.val_loss)
    return Choice(last.epoch, rival.epoch, len(last.right), answers.only_a, answers.only_b, answers.p, learned, share)


def learned_something(epochs: tuple[Epoch, ...]) -> bool:
    """Return whether the loss on the training photos fell, as it does unless training breaks down."""
    return len(epochs) == 1 or epochs[-1].train_loss < epochs[0].train_loss


def in_words(choice: Choice) -> str:
    """Return the choice in a few sentences."""
    kept, other = f"epoch {choice.last}, the last", "the head alone" if not choice.rival else f"epoch {choice.rival}"
    if not choice.learned and choice.last != choice.rival:
        return f"Kept {other}: training broke down, the loss on its own photos did not fall."
    if not choice.keeps_last:
        return (
            f"Kept {other}: it named {choice.only_rival} validation photos rightly that {kept}, missed, and missed "
            f"{choice.only_last} that it did not. That is more than chance (p = {choice.p:.2g})."
        )
    if choice.share < 1:
        kept += f", {percent(choice.share)} of the way from the head, as photos are few"
    if choice.last == choice.rival:
        return f"Kept {kept}. No other was better on the {choice.photos} validation photos."
    return (
        f"Kept {kept}. {other[0].upper()}{other[1:]} named {_more(choice)} validation photos rightly. That is within "
        f"chance (p = {choice.p:.2g}), and in general the network is best at the end of its training."
    )


def _more(choice: Choice) -> str:
    """Return how many more photos the rival named rightly, in words."""
    more = choice.only_rival - choice.only_last
    if more == 0:
        return f"as many of {choice.photos}"
    return f"{abs(more)} {'more' if more > 0 else 'fewer'} of {choice.photos}"
