"""Gradient training, on a network of a few hundred weights: 16x16 pictures, red or blue, two steps an epoch."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trainer.learning.fit
from edge.bundle.manifest import Preprocessing
from edge.errors import ConfigError, UnavailableError
from trainer.dataset.photo_set import PhotoSet
from trainer.learning.augment import Augmentation
from trainer.learning.average import trained_share
from trainer.learning.checkpoint import NoCheckpoints, opened
from trainer.learning.epochs import Best
from trainer.learning.fit import Recipe, fit
from trainer.learning.predict import Predictor
from trainer.learning.schedule import Deadline, Plan
from trainer.learning.team import Team
from trainer.native_output import load_tensorflow

pytestmark = pytest.mark.slow

Network = Callable[..., Any]
Train = Callable[..., Best]
Trained = tuple[list[np.ndarray], Best]
Resume = Callable[..., tuple[Any, Best, "Heard"]]

PEAK = 0.05
STEPS = 6  # three epochs of 64 photos in batches of 32


class Heard:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}
        self.steps = 0
        self.said: list[str] = []

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        self.stages[title] = total
        yield self.advance

    def advance(self, steps: int) -> None:
        self.steps += steps

    def say(self, text: str) -> None:
        self.said.append(text)


class PulledPlug(Exception):
    """The training ends here, whatever it was doing."""


class CutOff(Heard):
    """Progress that pulls the plug after so many steps."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def advance(self, steps: int) -> None:
        super().advance(steps)
        if self.steps == self.after:
            raise PulledPlug


class Told:
    """A deadline that is asked: these seconds are left, one after the other, the last for ever."""

    def __init__(self, *left_s: float) -> None:
        self.answers = itertools.chain(left_s, itertools.repeat(left_s[-1]))

    def left_s(self) -> float:
        return next(self.answers)


@pytest.fixture(scope="module", autouse=True)
def keras() -> Iterator[Any]:
    """Keras, deterministic, as trainer.train starts it."""
    load_tensorflow()
    import keras
    from tensorflow.python.framework import config

    config.enable_op_determinism()
    yield keras
    config.disable_op_determinism()


@pytest.fixture(scope="module")
def photos() -> PhotoSet:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 48)
    pixels = rng.integers(0, 160, (96, 16, 16, 3)).astype(np.uint8)
    pixels[labels == 0, :, :, 0] += 60
    pixels[labels == 1, :, :, 2] += 60
    return PhotoSet(pixels, labels, train=np.arange(64), val=np.arange(64, 96))


@pytest.fixture(scope="module")
def network(keras: Any) -> Network:
    """A fresh small network: convolution, BatchNorm, pooling, logits. watch: called with (training, dtype)
    whenever its layers are put into a graph."""

    def make(seed: int = 0, watch: Callable[[Any, str], None] = lambda *_: None) -> Any:
        class Watched(keras.layers.Layer):
            def call(self, inputs: Any, training: Any = None) -> Any:
                watch(training, inputs.dtype.name if hasattr(inputs.dtype, "name") else inputs.dtype)
                return inputs

        keras.utils.set_random_seed(seed)
        layers = keras.layers
        given = keras.Input((16, 16, 3))
        seen = layers.Conv2D(8, 3, strides=2, use_bias=False, name="convolution")(given)
        seen = Watched()(layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(seen)))
        return keras.Model(given, layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(seen)))

    return make


@pytest.fixture(scope="module")
def train(spec: Preprocessing, photos: PhotoSet) -> Train:
    """fit on the photos, alone; every argument that matters can be set."""
    import tensorflow as tf

    team = Team(tf.distribute.get_strategy(), 0, 1)

    def run(
        model: Any,
        *,
        epochs: int = 3,
        peak: float = PEAK,
        seed: int = 0,
        class_weights: tuple[float, ...] = (1, 1),
        patience: int = 10,
        mixed: bool = False,
        least_steps: int = 1,
        share: float = 1.0,
        progress: Heard | None = None,
        among: PhotoSet | None = None,
        **more: Any,
    ) -> Best:
        weights = np.array(class_weights, np.float32)
        recipe = Recipe(epochs, peak, Augmentation(mirror=True), seed, weights, patience, mixed, least_steps, share)
        more = {"keep_start": False, "checkpoints": NoCheckpoints(), **more}
        return fit(model, spec, among or photos, recipe, progress or Heard(), team=team, **more)

    return run


@pytest.fixture(scope="module")
def uninterrupted(network: Network, train: Train) -> Trained:
    """The weights of a training of three epochs, and what it came to."""
    model = network()
    outcome = train(model)
    return model.get_weights(), outcome


def validated(model: Any, spec: Preprocessing, photos: PhotoSet) -> tuple[float, float]:
    """Accuracy and log-loss on the validation photos."""
    return Predictor.judge(Predictor(model, spec).predict(photos.pixels, photos.val), photos.labels[photos.val])


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    """Bit by bit."""
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


# What is learned, and what is kept


def test_a_photo_counts_as_much_as_its_weight(network: Network, train: Train, photos: PhotoSet) -> None:
    by_class, by_photo = network(), network()
    train(by_class, epochs=1, class_weights=(1, 0.25))
    counts = np.where(photos.labels == 1, 0.25, 1).astype(np.float32)
    train(by_photo, epochs=1, among=replace(photos, weights=counts))
    assert same(by_class.get_weights(), by_photo.get_weights())


def test_the_model_is_left_at_the_weights_that_were_validated_last(
    network: Network, train: Train, spec: Preprocessing, photos: PhotoSet
) -> None:
    model = network()
    outcome = train(model, epochs=4)
    assert outcome.val_accuracy >= 0.9
    found = validated(model, spec, photos)
    assert found == (outcome.val_accuracy, outcome.val_loss)


def test_an_earlier_epoch_that_is_better_by_chance_only_is_not_kept(
    network: Network, train: Train, spec: Preprocessing, photos: PhotoSet
) -> None:
    model = network()
    outcome = train(model, epochs=4, peak=2.0)
    best = max(outcome.epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))
    assert best != outcome.epochs[-1], "or this test shows nothing"
    last = outcome.epochs[-1]
    assert (outcome.epoch, outcome.val_accuracy, outcome.val_loss) == (4, last.val_accuracy, last.val_loss)
    assert outcome.choice is not None
    assert (outcome.choice.last, outcome.choice.rival) == (4, best.number)
    assert validated(model, spec, photos)[1] == last.val_loss


def test_an_epoch_of_few_photos_goes_over_them_until_it_has_enough_steps(network: Network, train: Train) -> None:
    """64 photos are two steps: three epochs of at least five steps each take 15."""
    progress = Heard()
    outcome = train(network(), least_steps=5, progress=progress)
    plan = Plan(15, 5, PEAK)
    assert progress.steps == 15
    assert [epoch.learning_rate for epoch in outcome.epochs] == [plan.rate(4), plan.rate(9), plan.rate(14)]
    assert train(network(), least_steps=2) == train(network()), "ample photos are trained as ever"


def test_a_training_on_few_photos_is_drawn_back_towards_its_start(
    network: Network, train: Train, spec: Preprocessing, photos: PhotoSet, uninterrupted: Trained
) -> None:
    """A quarter of what training changed is kept, and validated; the training itself is the same."""
    start, whole, quarter = uninterrupted[0], network(), network()
    outcomes = []
    for model, share in ((whole, 1.0), (quarter, 0.25)):
        model.set_weights(start)
        outcomes.append(train(model, epochs=1, share=share, keep_start=True))
    assert outcomes[0].epochs == outcomes[1].epochs
    for before, after, drawn in zip(start, whole.get_weights(), quarter.get_weights(), strict=True):
        assert drawn == pytest.approx(0.75 * before + 0.25 * after, abs=1e-6)
    assert [outcome.choice.share for outcome in outcomes if outcome.choice] == [1, 0.25]
    assert validated(quarter, spec, photos) == (outcomes[1].val_accuracy, outcomes[1].val_loss)


@pytest.mark.parametrize(("photos_of", "share"), [(10, 0.5), (40, 0.8), (90, 0.9), (490, 0.98), (990, 1), (1762, 1)])
def test_many_photos_leave_nothing_of_the_start(photos_of: int, share: float) -> None:
    assert trained_share(photos_of) == pytest.approx(share)


def test_without_validation_photos_the_last_weights_are_kept(
    network: Network, train: Train, photos: PhotoSet, uninterrupted: Trained
) -> None:
    """However few epochs it may wait for a better one, and without a figure that nobody saw."""
    model, progress = network(), Heard()
    outcome = train(model, among=replace(photos, val=photos.val[:0]), patience=1, epochs=1, progress=progress)
    again = network()
    assert train(again, epochs=1).choice is not None
    assert same(model.get_weights(), again.get_weights())
    assert (outcome.choice, outcome.epoch, len(outcome.epochs)) == (None, 1, 1)
    assert progress.said == []


def test_without_validation_photos_the_share_is_what_was_given(
    network: Network, train: Train, photos: PhotoSet
) -> None:
    before, whole, quarter = network(), network(), network()
    for model, share in ((whole, 1.0), (quarter, 0.25)):
        train(model, among=replace(photos, val=photos.val[:0]), share=share)
    for start, end, drawn in zip(*(model.get_weights() for model in (before, whole, quarter)), strict=True):
        assert drawn == pytest.approx(0.75 * start + 0.25 * end, abs=1e-6)


def test_a_start_that_training_only_makes_worse_is_kept(network: Network, train: Train, uninterrupted: Trained) -> None:
    weights, good = uninterrupted
    model = network()
    model.set_weights(weights)
    outcome = train(model, epochs=1, peak=50.0, keep_start=True)
    assert (outcome.epoch, outcome.val_accuracy, outcome.val_loss) == (0, good.val_accuracy, good.val_loss)
    assert same(weights, model.get_weights())


@pytest.mark.parametrize(
    ("accuracy", "loss", "better"),
    [
        (0.9, 1.0, True),
        (0.8, 0.4, True),
        (0.8, 0.5, False),
        (0.8, 0.6, False),
        (0.7, 0.1, False),
        (0.9, float("nan"), False),
        (0.9, float("inf"), False),
    ],
)
def test_the_better_state_has_more_right_or_as_many_with_less_loss(accuracy: float, loss: float, better: bool) -> None:
    assert Best(accuracy, loss, 2).beats(Best(0.8, 0.5, 1)) is better


def test_frozen_layers_stay_as_they_are(network: Network, train: Train) -> None:
    model = network()
    model.get_layer("convolution").trainable = False
    frozen, free = (model.get_layer(name).get_weights()[0] for name in ("convolution", "logits"))
    train(model, epochs=1)
    assert model.get_layer("convolution").get_weights()[0] == pytest.approx(frozen, abs=1e-6)  # the average rounds
    assert np.abs(model.get_layer("logits").get_weights()[0] - free).max() > 1e-3


def test_the_same_seed_gives_the_same_weights(network: Network, train: Train, uninterrupted: Trained) -> None:
    model = network()
    assert train(model) == uninterrupted[1]
    assert same(model.get_weights(), uninterrupted[0])


def test_another_seed_gives_other_weights(network: Network, train: Train, uninterrupted: Trained) -> None:
    model = network()
    train(model, seed=1)
    assert not same(model.get_weights(), uninterrupted[0])


def test_a_class_that_counts_nothing_is_never_answered(
    network: Network, train: Train, spec: Preprocessing, photos: PhotoSet
) -> None:
    model = network()
    train(model, epochs=1, peak=0.5, class_weights=(0, 1))
    answers = Predictor(model, spec).predict(photos.pixels, photos.val).argmax(axis=1)
    assert set(answers) == {1}


def test_a_loss_that_is_no_number_ends_training_with_advice(network: Network, train: Train) -> None:
    model = network()
    model.get_layer("logits").bias.assign([np.nan, 0])
    with pytest.raises(
        UnavailableError, match=r"broke down at step 0: the loss is nan: .*--restart and another --seed"
    ):
        train(model)


# What is told


def test_history_holds_every_epoch_with_its_last_learning_rate(uninterrupted: Trained) -> None:
    _, outcome = uninterrupted
    plan = Plan(STEPS, 2, PEAK)
    assert [epoch.number for epoch in outcome.epochs] == [1, 2, 3]
    assert [epoch.learning_rate for epoch in outcome.epochs] == [plan.rate(1), plan.rate(3), plan.rate(5)]
    assert outcome.epochs[0].train_loss > outcome.epochs[-1].train_loss > 0


def test_progress_counts_every_step_and_tells_every_epoch(network: Network, train: Train) -> None:
    progress = Heard()
    outcome = train(network(), progress=progress)
    assert progress.stages == {"training": STEPS}
    assert progress.steps == STEPS
    assert progress.said == [
        f"epoch {epoch.number}: validation {epoch.val_accuracy:.1%}, log-loss {epoch.val_loss:.3f}"
        for epoch in outcome.epochs
    ]


def test_training_stops_after_so_many_epochs_without_a_better_one(
    network: Network, train: Train, uninterrupted: Trained
) -> None:
    model = network()
    model.set_weights(uninterrupted[0])
    outcome = train(model, epochs=10, peak=50.0, patience=2, keep_start=True)
    assert (outcome.epoch, len(outcome.epochs)) == (0, 2)


# Mixed precision


@pytest.fixture(scope="module")
def mixed(network: Network, train: Train) -> SimpleNamespace:
    """A training in mixed precision: its model and outcome, what went into the layers of its graphs as (training,
    dtype), and every layer's policy between two steps."""
    found = SimpleNamespace(seen=set())
    found.model = network(watch=lambda training, dtype: found.seen.add((training, dtype)))
    progress = Heard()
    progress.advance = lambda _: setattr(found, "policies", policies(found.model))
    found.outcome = train(found.model, mixed=True, progress=progress)
    return found


def policies(model: Any) -> list[str]:
    return [layer.dtype_policy.name for layer in model.layers]


def test_mixed_precision_trains_in_float16_and_validates_in_float32(mixed: SimpleNamespace) -> None:
    assert {(True, "float16"), (False, "float32")} <= mixed.seen
    assert not {(True, "float32"), (False, "float16")} & mixed.seen


def test_mixed_precision_computes_the_logits_in_float32(mixed: SimpleNamespace) -> None:
    assert set(mixed.policies[:-1]) == {"mixed_float16"}
    assert mixed.policies[-1] == "float32"


def test_mixed_precision_leaves_a_float32_model_behind(mixed: SimpleNamespace) -> None:
    assert mixed.outcome.val_accuracy >= 0.9
    assert set(policies(mixed.model)) == {"float32"}
    assert {weight.dtype for weight in mixed.model.weights} == {"float32"}


def test_mixed_precision_and_a_time_budget_go_together(network: Network, train: Train, ticks: None) -> None:
    seen = set()
    model = network(watch=lambda training, dtype: seen.add((training, dtype)))
    train(model, mixed=True, deadline=Told(1.4))
    assert (True, "float16") in seen


# Cut off and resumed


@pytest.fixture
def cut_off_and_resume(network: Network, train: Train, tmp_path: Path) -> Resume:
    """Train, pull the plug after some steps, train again in a network that starts elsewhere."""

    def run(after: int, between: Callable[[Path], object] = lambda _: None, **how: Any) -> tuple[Any, Best, Heard]:
        with pytest.raises(PulledPlug), opened(tmp_path / "out", restart=False) as checkpoints:
            train(network(), progress=CutOff(after), checkpoints=checkpoints, **how)
        between(tmp_path / "out.training" / "training.npz")
        progress, model = Heard(), network(seed=5)
        with opened(tmp_path / "out", restart=False) as checkpoints:
            outcome = train(model, progress=progress, checkpoints=checkpoints, **how)
        return model, outcome, progress

    return run


@pytest.mark.parametrize("step", [1, 5])
def test_a_training_cut_off_after_any_step_ends_where_the_uninterrupted_one_does(
    cut_off_and_resume: Resume, uninterrupted: Trained, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(trainer.learning.fit, "CHECKPOINT_S", 0.0)
    model, outcome, progress = cut_off_and_resume(after=step)
    assert progress.said[0] == f"going on after {step} of {STEPS} steps"
    assert progress.steps == STEPS, "the bar shows the steps of both"
    assert outcome == uninterrupted[1]
    assert same(model.get_weights(), uninterrupted[0])


def test_what_was_done_since_the_last_checkpoint_is_done_again(
    cut_off_and_resume: Resume, uninterrupted: Trained
) -> None:
    """Within a minute only the ends of epochs are saved."""
    model, outcome, progress = cut_off_and_resume(after=3)
    assert progress.said[0] == f"going on after 2 of {STEPS} steps"
    assert outcome == uninterrupted[1]
    assert same(model.get_weights(), uninterrupted[0])


def test_mixed_precision_is_resumed_alike(
    cut_off_and_resume: Resume, mixed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.learning.fit, "CHECKPOINT_S", 0.0)
    model, outcome, _ = cut_off_and_resume(after=3, mixed=True)
    assert outcome == mixed.outcome
    assert same(model.get_weights(), mixed.model.get_weights())


def test_a_resumed_training_knows_where_it_started(
    network: Network, train: Train, uninterrupted: Trained, tmp_path: Path
) -> None:
    how = {"share": 0.25, "keep_start": True}
    whole, begun, again = network(), network(), network(seed=5)
    whole.set_weights(uninterrupted[0])
    begun.set_weights(uninterrupted[0])
    outcome = train(whole, **how)
    with pytest.raises(PulledPlug), opened(tmp_path / "out", restart=False) as checkpoints:
        train(begun, checkpoints=checkpoints, progress=CutOff(3), **how)
    with opened(tmp_path / "out", restart=False) as checkpoints:
        assert train(again, checkpoints=checkpoints, **how) == outcome
    assert outcome.choice is not None
    assert outcome.choice.share == 0.25
    assert same(again.get_weights(), whole.get_weights())


def test_a_checkpoint_that_was_damaged_costs_its_steps_and_no_more(cut_off_and_resume: Resume) -> None:
    _, outcome, progress = cut_off_and_resume(after=4, between=lambda path: path.write_bytes(b"?" * 1000))
    assert progress.said[0].startswith("epoch 1:")
    assert len(outcome.epochs) == 3


def test_a_training_that_had_stopped_early_is_not_taken_up_again(
    network: Network, train: Train, uninterrupted: Trained, tmp_path: Path
) -> None:
    """Killed between its last step and the bundle."""
    how = {"epochs": 10, "peak": 50.0, "patience": 2, "keep_start": True}
    model, stopped = network(), []
    model.set_weights(uninterrupted[0])
    with pytest.raises(PulledPlug), opened(tmp_path / "out", restart=False) as checkpoints:
        stopped.append(train(model, checkpoints=checkpoints, **how))
        raise PulledPlug
    progress, again = Heard(), network(seed=5)
    with opened(tmp_path / "out", restart=False) as checkpoints:
        assert train(again, progress=progress, checkpoints=checkpoints, **how) == stopped[0]
    assert progress.said == ["going on after 4 of 4 steps"]
    assert same(again.get_weights(), uninterrupted[0])


# With a deadline


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever it is read: six timed steps take one second, a validation one."""
    monkeypatch.setattr(trainer.learning.fit, "time", SimpleNamespace(monotonic=itertools.count().__next__))


def test_a_deadline_is_made_the_most_of(network: Network, train: Train, ticks: None) -> None:
    """An epoch costs 2/6 s of steps and 1 s of validation: three of them fit into 4.1 s."""
    progress = Heard()
    outcome = train(network(), epochs=99, deadline=Told(4.1), progress=progress)
    assert progress.said[0] == "3.0 epochs fit into the time left"
    assert progress.stages == {"training": STEPS}
    assert len(outcome.epochs) == 3


def test_the_steps_that_were_timed_leave_no_trace(
    network: Network, train: Train, uninterrupted: Trained, ticks: None
) -> None:
    model = network()
    assert train(model, epochs=99, deadline=Told(4.1)) == uninterrupted[1]
    assert same(model.get_weights(), uninterrupted[0])


def test_part_of_an_epoch_is_better_than_none(network: Network, train: Train, ticks: None) -> None:
    """A step costs 1/6 s, the validation 1 s: one step fits into 1.2 s, two do not."""
    outcome = train(network(), deadline=Told(1.2))
    assert [epoch.number for epoch in outcome.epochs] == [1]
    assert outcome.epochs[0].learning_rate == Plan(1, 2, PEAK).rate(0)


def test_a_deadline_that_is_over_leaves_the_start_alone(network: Network, train: Train, uninterrupted: Trained) -> None:
    model, progress = network(), Heard()
    model.set_weights(uninterrupted[0])
    outcome = train(model, keep_start=True, deadline=Deadline(time.monotonic() - 1), progress=progress)
    assert progress.said == ["no time is left for fine-tuning"]
    assert (outcome.epoch, outcome.epochs, outcome.val_loss) == (0, (), uninterrupted[1].val_loss)
    assert same(model.get_weights(), uninterrupted[0])


def test_a_deadline_that_leaves_no_time_from_scratch_is_an_error(network: Network, train: Train) -> None:
    """The network would be as random as it came."""
    with pytest.raises(ConfigError, match="--time-budget: the time left does not suffice to learn anything"):
        train(network(), keep_start=False, deadline=Told(0.0))


def test_a_deadline_that_comes_early_ends_training_with_a_validation(
    network: Network, train: Train, spec: Preprocessing, photos: PhotoSet, ticks: None
) -> None:
    """Steps turn out slower than they were timed: after the third no time is left."""
    model = network()
    outcome = train(model, deadline=Told(4.1, 2.0, 1.0, -0.1))
    plan = Plan(STEPS, 2, PEAK)
    assert [epoch.learning_rate for epoch in outcome.epochs] == [plan.rate(1), plan.rate(2)]
    best = max(outcome.epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))
    assert outcome.epoch == best.number
    assert validated(model, spec, photos)[1] == best.val_loss


def test_a_resumed_training_whose_time_is_over_does_one_step_and_keeps_the_best(
    network: Network, train: Train, tmp_path: Path, ticks: None
) -> None:
    with pytest.raises(PulledPlug), opened(tmp_path / "out", restart=False) as checkpoints:
        train(network(), deadline=Told(4.1), progress=CutOff(2), checkpoints=checkpoints)
    progress = Heard()
    with opened(tmp_path / "out", restart=False) as checkpoints:
        outcome = train(network(), deadline=Told(-5.0), progress=progress, checkpoints=checkpoints)
    assert progress.said[0] == f"going on after 2 of {STEPS} steps"
    assert progress.steps == 3
    assert len(outcome.epochs) == 2
