"""Train by gradients: AdamW on a cosine, averaged weights, validation after every epoch.

The same loop fine-tunes a folded backbone and trains a network with BatchNorm from scratch, on one machine or
several. All of its state goes to disk at every epoch and every minute; a killed training goes on from there and
ends with the same weights as an uninterrupted one, since every draw depends on the step alone.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from edge.errors import ConfigError, UnavailableError
from trainer.dataset.photo_set import PhotoSet
from trainer.learning.augment import Augmentation
from trainer.learning.average import Average, between
from trainer.learning.batches import BATCH, Batches
from trainer.learning.checkpoint import Arrays, Checkpoints, pack, unpack
from trainer.learning.choice import choose
from trainer.learning.epochs import Best, Epoch, State
from trainer.learning.mixed_precision import mixed_precision
from trainer.learning.predict import Predictor
from trainer.learning.schedule import Deadline, Plan, plan_for
from trainer.learning.team import Team
from trainer.networks.pixels import normalizer
from trainer.progress import Progress

# The share of each step's weights that the running average keeps, once warm.
AVERAGE = 0.99
LABEL_SMOOTHING = 0.05
WEIGHT_DECAY = 1e-4
CHECKPOINT_S = 60.0
TIMED_STEPS = 6  # what a step costs is measured on these, after one that compiles the graph


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    epochs: how often it is validated.
    least_steps: of an epoch, which goes over few photos more than once.
    share: of the way from the start to the averaged weights, 0..1, that is kept of the last ones.
    peak: AdamW's highest learning rate.
    augmentation: how far pictures are changed.
    seed: of all draws.
    class_weights: (classes,), what a photo of each class counts in the loss.
    patience: epochs without a better validation after which training stops.
    mixed: compute in float16 if that is safe (for GPUs; slower on CPUs).
    """

    epochs: int
    peak: float
    augmentation: Augmentation
    seed: int
    class_weights: NDArray[np.float32]
    patience: int = 10
    mixed: bool = False
    least_steps: int = 1
    share: float = 1.0


def fit(
    model: Any,
    spec: Preprocessing,
    photos: PhotoSet,
    recipe: Recipe,
    progress: Progress,
    *,
    keep_start: bool,
    team: Team,
    checkpoints: Checkpoints,
    deadline: Deadline | None = None,
    stage: str = "training",
) -> Best:
    """Train `model` (pixels normalised -> logits), made in the team's scope, in place. It is left at its last averaged
    weights, or at earlier ones that validation shows beyond chance to be better. Without validation photos it is left
    at the last, recipe.share of the way, and nothing is judged.

    keep_start: the weights it came with compete too, so that a fine-tuning that harms is thrown away. deadline: makes
    the best of the time until then instead of recipe.epochs. stage: its name, for people and among the checkpoints.
    Raises ConfigError if that would leave a network as random as it came."""
    training = _Training(model, spec, photos, recipe, team)
    start = training.evaluate() if keep_start else Best(0.0, float("inf"), 0, (False,) * len(photos.val))
    per_epoch = training.steps_per_epoch
    state = State(0, Plan(recipe.epochs * per_epoch, per_epoch, recipe.peak), start)
    if saved := team.share_bytes(pack(checkpoints.load(stage))):
        state = training.restore(unpack(saved))
        progress.say(f"going on after {state.step} of {state.plan.steps} steps")
    elif deadline is not None:
        state = State(0, training.measure(deadline, recipe.peak), start)
        planned = f"{state.plan.steps / state.plan.steps_per_epoch:.1f} epochs fit into the time left"
        if not state.plan.steps and not keep_start:
            raise ConfigError(
                "--time-budget: the time left does not suffice to learn anything from nothing: give more, or --weights "
                "to start from"
            )
        progress.say(planned if state.plan.steps else "no time is left for fine-tuning")
    with progress.stage(stage, state.plan.steps) as advance:
        advance(state.step)
        for now in training.run(state, lambda arrays: checkpoints.save(stage, arrays), deadline):
            advance(1)
            if now is not None and len(photos.val):
                progress.say(f"epoch {now.number}: validation {now.val_accuracy:.1%}, log-loss {now.val_loss:.3f}")
    return training.finish()


class _Training:
    """Model, optimizer, averages and the compiled step, and how they are saved."""

    def __init__(self, model: Any, spec: Preprocessing, photos: PhotoSet, recipe: Recipe, team: Team) -> None:
        import keras

        self.model, self.photos, self.recipe, self.team = model, photos, recipe, team
        self.predictor = Predictor(model, spec)
        self.batches = Batches(
            photos.pixels, photos.train, recipe.augmentation, recipe.seed, rank=team.rank, size=team.size
        )
        self.steps_per_epoch = max(self.batches.steps_per_pass, recipe.least_steps)
        with team.strategy.scope():
            optimizer: Any = keras.optimizers.AdamW(recipe.peak, weight_decay=WEIGHT_DECAY)
            self.optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if recipe.mixed else optimizer
            self.optimizer.build(model.trainable_variables)
            self.average = Average(model)
        # Traced now: a graph that is traced inside mixed_precision would validate in float16.
        self.predictor.predict(photos.pixels, photos.train[:1])
        self.start = self.kept = model.get_weights()
        self._step = self._compile(spec)
        self._state: State | None = None

    def evaluate(self) -> Best:
        """Judge the model on the validation photos, of which each member computes a share; as bad if there are none."""
        photos = self.photos
        if not len(photos.val):
            return Best(0.0, math.inf, 0)
        logits = self.team.gather(lambda rows: self.predictor.predict(photos.pixels, photos.val[rows]), len(photos.val))
        truth = photos.labels[photos.val]
        accuracy, loss = self.predictor.judge(logits, truth)
        return Best(accuracy, loss, 0, tuple((logits.argmax(axis=1) == truth).tolist()))

    def measure(self, deadline: Deadline, peak: float) -> Plan:
        """Time a few steps and a validation, undo them, and plan for the time left; the chief decides."""
        # At a rate of 0 weights stay, but AdamW's moments, BatchNorm statistics and averages move: all are put back.
        before, variables = self.model.get_weights(), [v.numpy() for v in self.optimizer.variables]
        averages = self.average.values()
        with mixed_precision(self.model, enabled=self.recipe.mixed):
            for batch in self.batches.of_steps(0, 1):
                self._one(batch, 0.0)
            started = time.monotonic()
            for batch in self.batches.of_steps(0, TIMED_STEPS):
                self._one(batch, 0.0)
            step_s = (time.monotonic() - started) / TIMED_STEPS
        started = time.monotonic()
        self.evaluate()
        validation_s = time.monotonic() - started
        self._put(before, averages, variables)
        plan = plan_for(deadline.left_s(), step_s, validation_s, self.steps_per_epoch, peak)
        return Plan(int(self.team.share_bytes(str(plan.steps).encode())), plan.steps_per_epoch, peak)

    def run(self, state: State, save: Callable[[Arrays], None], deadline: Deadline | None) -> Iterator[Epoch | None]:
        """Do the steps that are left; yield after each, an Epoch if it ended one, else None."""
        self._state = state
        plan, saved = state.plan, time.monotonic()
        with mixed_precision(self.model, enabled=self.recipe.mixed):
            for batch in self.batches.of_steps(state.step, plan.steps):
                loss = self._one(batch, plan.rate(batch.step))
                state.step = batch.step + 1
                state.loss_sum, state.loss_steps = state.loss_sum + loss, state.loss_steps + 1
                over = state.step % plan.steps_per_epoch == 0 or state.step == plan.steps
                late = deadline is not None and self._chief_decides(deadline.left_s() < 0, over)
                ended = self._end_epoch(state) if over or late else None
                # The plan ends here, so that a training that is killed now and resumed ends here, too.
                if late or (ended and ended.number - state.best.epoch >= self.recipe.patience):
                    state.plan = replace(plan, steps=state.step)
                if ended or time.monotonic() - saved > CHECKPOINT_S:
                    if self.team.is_chief:
                        save(self._arrays(state))
                    saved = time.monotonic()
                yield ended
                if state.step >= state.plan.steps:
                    return

    def finish(self) -> Best:
        """Leave the model at its last averaged weights, or at the best ones if they are better beyond chance."""
        state = self._state
        assert state is not None
        if state.last is None:
            self.model.set_weights(self.kept)
            return state.best
        last, share, weights = state.last, self.recipe.share, self.average.values()
        if share < 1:
            weights = between(self.start, weights, share)
            self.model.set_weights(weights)
            last = replace(self.evaluate(), epoch=last.epoch)
        if not len(self.photos.val):
            self.model.set_weights(weights)
            return replace(last, epochs=state.epochs)
        choice = choose(last, state.best, state.epochs, share)
        chosen, weights = (last, weights) if choice.keeps_last else (state.best, self.kept)
        self.model.set_weights(weights)
        return replace(chosen, epochs=state.epochs, choice=choice)

    def restore(self, arrays: Arrays) -> State:
        """Go back to the state in `arrays`, of an earlier run."""
        count, kept = len(self.model.weights), len(self.kept)
        self._put(
            [arrays[f"weight{i}"] for i in range(count)],
            [arrays[f"average{i}"] for i in range(count)],
            [arrays[f"optimizer{i}"] for i in range(len(self.optimizer.variables))],
        )
        self.start = [arrays[f"start{i}"] for i in range(count)]
        self.kept = [arrays[f"kept{i}"] for i in range(kept)]
        step, steps, steps_per_epoch, best_epoch, loss_steps = (int(v) for v in arrays["counts"])
        peak, accuracy, loss, loss_sum = (float(v) for v in arrays["figures"])
        epochs = tuple(Epoch(int(row[0]), *map(float, row[1:])) for row in arrays["history"])
        best_right, last_right = (tuple(arrays[name].tolist()) for name in ("best_right", "last_right"))
        best = Best(accuracy, loss, best_epoch, best_right)
        last = Best(epochs[-1].val_accuracy, epochs[-1].val_loss, epochs[-1].number, last_right) if epochs else None
        return State(step, Plan(steps, steps_per_epoch, peak), best, last, epochs, loss_sum, loss_steps)

    def _arrays(self, state: State) -> Arrays:
        best, plan = state.best, state.plan
        history = [[e.number, e.train_loss, e.val_loss, e.val_accuracy, e.learning_rate] for e in state.epochs]
        groups = {
            "weight": self.model.get_weights(),
            "average": self.average.values(),
            "optimizer": [v.numpy() for v in self.optimizer.variables],
            "kept": self.kept,
            "start": self.start,
        }
        return {
            "counts": np.array([state.step, plan.steps, plan.steps_per_epoch, best.epoch, state.loss_steps], np.int64),
            "figures": np.array([plan.peak, best.val_accuracy, best.val_loss, state.loss_sum], np.float64),
            "history": np.array(history, np.float64).reshape(-1, 5),
            "best_right": np.array(best.right, np.bool_),
            "last_right": np.array(state.last.right if state.last else (), np.bool_),
            **{f"{name}{i}": array for name, arrays in groups.items() for i, array in enumerate(arrays)},
        }

    def _put(self, weights: list[Any], averages: list[Any], optimizer: list[Any]) -> None:
        self.model.set_weights(weights)
        self.average.put(averages)
        for variable, value in zip(self.optimizer.variables, optimizer, strict=True):
            variable.assign(value)

    def _end_epoch(self, state: State) -> Epoch:
        with self.average.in_place():
            number = len(state.epochs) + 1
            found = state.last = replace(self.evaluate(), epoch=number)
            if found.beats(state.best):
                state.best, self.kept = found, self.model.get_weights()
        rate = state.plan.rate(state.step - 1)
        ended = Epoch(number, state.loss_sum / state.loss_steps, found.val_loss, found.val_accuracy, rate)
        state.epochs = (*state.epochs, ended)
        state.loss_sum, state.loss_steps = 0.0, 0
        return ended

    def _chief_decides(self, answer: bool, now: bool) -> bool:
        """Return the chief's answer, on every member; False unless `now`."""
        # Members must stop at the same step, or the others wait in the next sum until they time out. Shared at the
        # ends of epochs only, as sharing holds all of them up.
        if self.team.size == 1:
            return answer
        return now and self.team.share_bytes(b"y" if answer else b"n") == b"y"

    def _one(self, batch: Any, rate: float) -> float:
        import tensorflow as tf

        self.optimizer.learning_rate = rate
        # Until it is warm the average follows fast: it would else remember the start for hundreds of steps.
        keep = min(AVERAGE, (1 + batch.step) / (10 + batch.step))
        labels = self.photos.labels[batch.indices]
        weights = self.recipe.class_weights[labels] * self.photos.weights_of(batch.indices)
        loss = float(self._step(batch.pixels, labels, weights, tf.constant(keep, tf.float32)))
        if not math.isfinite(loss):
            raise UnavailableError(
                f"training broke down at step {batch.step}: the loss is {loss}: give the same command with --restart "
                "and another --seed"
            )
        return loss

    def _compile(self, spec: Preprocessing) -> Any:
        import keras
        import tensorflow as tf

        model, optimizer, average, strategy = self.model, self.optimizer, self.average, self.team.strategy
        normalized = normalizer(spec)
        classes = model.output_shape[-1]
        whole = min(BATCH, len(self.photos.train))

        def on_replica(batch: Any, targets: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = model(normalized(tf.cast(batch, tf.float32)), training=True)
                losses = keras.losses.categorical_crossentropy(
                    tf.one_hot(targets, classes), logits, from_logits=True, label_smoothing=LABEL_SMOOTHING
                )
                # Members add their gradients up, so each divides by the whole batch.
                loss = tf.reduce_sum(losses * weights) / whole
                scaled = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss

        def share(value: Any) -> Any:
            """Divide a member's part of a batch among its own devices."""
            local = self.team.replicas // self.team.size
            if local == 1:
                return value
            return strategy.experimental_distribute_values_from_function(
                lambda context: value[context.replica_id_in_sync_group % local :: local]
            )

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def step(batch: Any, targets: Any, weights: Any, keep: Any) -> Any:
            loss = strategy.reduce(
                tf.distribute.ReduceOp.SUM, strategy.run(on_replica, (batch, targets, weights)), None
            )
            average.update(keep)
            return loss

        return lambda batch, targets, weights, keep: step(share(batch), share(targets), share(weights), keep)
