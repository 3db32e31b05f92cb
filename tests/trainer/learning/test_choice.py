"""Which state of a training is kept, against tails of the binomial distribution worked out by hand."""

import pytest

from trainer.learning.choice import choose, in_words
from trainer.learning.epochs import Best, Choice, Epoch

LAST = 10


def state(epoch: int, right: tuple[bool, ...]) -> Best:
    return Best(sum(right) / len(right), 0.5, epoch, right)


def epochs(*train_losses: float) -> tuple[Epoch, ...]:
    return tuple(Epoch(number, loss, 0.5, 0.8, 1e-4) for number, loss in enumerate(train_losses, 1))


def choice(
    only_last: int,
    only_rival: int,
    *,
    both: int = 80,
    rival: int = 0,
    losses: tuple[float, ...] = (1.0, 0.5),
    share: float = 1.0,
) -> Choice:
    """Let the last state and its rival name `both` photos rightly, and each some that the other misses."""
    last = (True,) * (both + only_last) + (False,) * only_rival
    other = (True,) * both + (False,) * only_last + (True,) * only_rival
    return choose(state(LAST, last), state(rival, other), epochs(*losses), share)


@pytest.mark.parametrize(
    ("only_last", "only_rival", "p", "keeps_last"),
    [
        (0, 0, 1.0, True),
        (0, 1, 1.0, True),
        (0, 5, 2 * 1 / 32, True),
        (0, 6, 2 * 1 / 64, False),
        (1, 7, 2 * 9 / 256, True),
        (1, 8, 2 * 10 / 512, False),
        (2, 8, 2 * 56 / 1024, True),
        (2, 9, 2 * 67 / 2048, True),
        (2, 10, 2 * 79 / 4096, False),
    ],
)
def test_the_last_state_is_kept_unless_its_rival_is_better_beyond_chance(
    only_last: int, only_rival: int, p: float, keeps_last: bool
) -> None:
    found = choice(only_last, only_rival)
    assert found.p == pytest.approx(p)
    assert found.keeps_last is keeps_last


def test_six_photos_of_96_are_chance() -> None:
    """A head with 88 of 96 right against a network with 82: eight that only the head knew, two only the network."""
    found = choice(2, 8, both=80)
    assert (found.only_last, found.only_rival) == (2, 8)
    assert found.keeps_last


def test_a_network_that_did_not_learn_is_not_kept_however_few_photos_there_are() -> None:
    """Two validation photos never show more than chance. A training loss that rose does."""
    assert choice(0, 2, both=0).keeps_last
    assert not choice(0, 2, both=0, losses=(1.0, 0.4, 3.0)).keeps_last
    assert choice(0, 2, both=0, losses=(1.0,)).keeps_last, "one epoch has no other to compare it with"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_network_whose_answers_are_no_numbers_is_not_kept(loss: float) -> None:
    last, start = Best(0.5, loss, LAST, (True, False)), state(0, (True, True))
    assert not choose(last, start, epochs(1.0, 0.5)).keeps_last


def test_the_last_state_that_is_also_the_best_is_kept_whatever_its_loss() -> None:
    assert choice(0, 0, rival=LAST, losses=(1.0, 2.0)).keeps_last


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            choice(3, 10),
            "Kept epoch 10, the last. The head alone named 7 more of 93 validation photos rightly. That is",
        ),
        (choice(3, 10), "within chance (p = 0.092)"),
        (choice(2, 4, rival=7), "Epoch 7 named 2 more of 86 validation photos rightly."),
        (choice(1, 1, rival=7), "Epoch 7 named as many of 82 validation photos rightly."),
        (choice(0, 0, rival=LAST), "Kept epoch 10, the last. No other was better on the 80 validation photos."),
        (choice(3, 2), "The head alone named 1 fewer of 85 validation photos rightly."),
        (
            choice(3, 3, share=0.66),
            "Kept epoch 10, the last, 66\u00a0% of the way from the head, as photos are few. The head alone named as",
        ),
        (choice(1, 9), "Kept the head alone: it named 9 validation photos rightly that epoch 10, the last, missed"),
        (choice(1, 9), "more than chance (p = 0.021)."),
        (choice(0, 2, losses=(1.0, 3.0)), "Kept the head alone: training broke down"),
    ],
)
def test_the_choice_is_explained(found: Choice, words: str) -> None:
    assert words in in_words(found)
