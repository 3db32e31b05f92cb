"""The linear head, trained to convergence on cached features; scikit-learn is the reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import trainer.learning.head
from trainer.dataset.rows import Rows, RowSource
from trainer.learning.head import MAX_ITERATIONS, STRENGTHS, Examples, fit_linear, sample, train_head
from trainer.learning.predict import log_loss

CHANNELS = 8
Photos = tuple[np.ndarray, np.ndarray]


def clouds(classes: int, each: int, seed: int, spread: float = 0.1) -> Photos:
    """Return features and labels; class n lies around unit vector n."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = rng.normal(0, spread, (len(labels), CHANNELS))
    features[np.arange(len(labels)), labels] += 1
    return features.astype(np.float32), labels


def examples(photos: tuple[RowSource, np.ndarray], weights: np.ndarray | None = None) -> Examples:
    features, labels = photos
    return Examples(features, labels, np.ones(len(labels)) if weights is None else weights)


def head_on(train: Photos, val: Photos, classes: int, **more: object) -> trainer.learning.head.Head:
    return train_head(examples(train), val, classes, lambda _: None, **more)


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def probabilities(flat: np.ndarray, features: np.ndarray, classes: int) -> np.ndarray:
    table = flat.reshape(-1, classes)
    return softmax(features @ table[:-1] + table[-1])


# One strength


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("strength", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("classes", [3, 5])
def test_the_solution_is_that_of_scikit_learn_at_the_same_c(classes: int, strength: float, weighted: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = clouds(classes, 40, 0, spread=0.7)
    weights = np.random.default_rng(1).uniform(0.2, 3, len(labels)) if weighted else np.ones(len(labels))
    ours = fit_linear(examples((features, labels), weights), classes, strength).reshape(-1, classes)
    reference = LogisticRegression(C=strength, max_iter=2000, tol=1e-8)
    reference.fit(features.astype(np.float64), labels, sample_weight=weights)
    assert ours[:-1] == pytest.approx(reference.coef_.T, abs=5e-3)
    assert softmax(features @ ours[:-1] + ours[-1]) == pytest.approx(reference.predict_proba(features), abs=2e-3)


def test_two_classes_have_a_column_each_where_scikit_learn_keeps_one() -> None:
    """Softmax over (-z/2, z/2) is the sigmoid of z; two columns of half the length cost half as much, so that
    scikit-learn's C is twice ours."""
    from sklearn.linear_model import LogisticRegression

    features, labels = clouds(2, 40, 0, spread=0.7)
    ours = probabilities(fit_linear(examples((features, labels)), 2, 0.3), features, 2)
    theirs = LogisticRegression(C=0.6, max_iter=2000, tol=1e-8).fit(features, labels).predict_proba(features)
    assert ours == pytest.approx(theirs, abs=2e-3)


def test_a_photo_of_weight_two_counts_as_if_it_were_there_twice() -> None:
    features, labels = clouds(3, 20, 0, spread=0.7)
    weights = np.where(labels == 1, 2.0, 1.0)
    twice = np.concatenate([np.arange(60), np.flatnonzero(labels == 1)])
    weighted = fit_linear(examples((features, labels), weights), 3, 0.3)
    assert weighted == pytest.approx(fit_linear(examples((features[twice], labels[twice])), 3, 0.3), abs=2e-3)


def test_a_photo_that_weighs_nothing_is_not_learned_from() -> None:
    features, labels = clouds(3, 20, 0, spread=0.7)
    wrong = np.concatenate([features, features]), np.concatenate([labels, (labels + 1) % 3])
    weights = np.repeat([1.0, 0.0], 60)
    assert fit_linear(examples(wrong, weights), 3, 0.3) == pytest.approx(
        fit_linear(examples((features, labels)), 3, 0.3), abs=2e-3
    )


def test_the_bias_is_not_regularised() -> None:
    """With next to no strength nothing is left but the classes' shares."""
    features, labels = clouds(2, 40, 0)
    kept = np.flatnonzero((labels == 1) | (np.arange(80) < 10))  # 10 and 40
    flat = fit_linear(examples((features[kept], labels[kept])), 2, 1e-6)
    assert probabilities(flat, features[:1], 2)[0] == pytest.approx([0.2, 0.8], abs=1e-2)


def test_any_start_leads_to_the_same_end() -> None:
    train = examples(clouds(3, 40, 0, spread=0.7))
    start = np.random.default_rng(4).normal(0, 3, (CHANNELS + 1) * 3)
    found, elsewhere = fit_linear(train, 3, 0.3), fit_linear(train, 3, 0.3, start)
    assert probabilities(elsewhere, train.features, 3) == pytest.approx(
        probabilities(found, train.features, 3), abs=2e-3
    )


def test_features_on_disk_give_the_head_of_features_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in blocks, and the last block is short."""
    monkeypatch.setattr(trainer.learning.head, "BLOCK", 50)
    features, labels = clouds(3, 40, 0, spread=0.7)
    with Rows.create(tmp_path, len(features), (CHANNELS,), np.float32, "a test") as rows:
        rows.write_block(0, features)
        on_disk = fit_linear(examples((rows, labels)), 3, 0.3)
    assert np.array_equal(on_disk, fit_linear(examples((features, labels)), 3, 0.3))
    monkeypatch.setattr(trainer.learning.head, "BLOCK", 4096)
    assert on_disk == pytest.approx(fit_linear(examples((features, labels)), 3, 0.3), abs=2e-3)


@pytest.mark.parametrize(("rows", "blocks"), [(0, []), (49, [49]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_blocks_are_all_rows_in_their_order(monkeypatch: pytest.MonkeyPatch, rows: int, blocks: list[int]) -> None:
    monkeypatch.setattr(trainer.learning.head, "BLOCK", 50)
    features = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    found = list(Examples(features, np.arange(rows), np.arange(rows) / 7).blocks())
    assert [len(labels) for _, labels, _ in found] == blocks
    if found:
        assert np.array_equal(np.concatenate([part for part, _, _ in found]), features)
        assert np.array_equal(np.concatenate([labels for _, labels, _ in found]), np.arange(rows))
        assert np.array_equal(np.concatenate([weights for _, _, weights in found]), np.arange(rows) / 7)


def test_features_of_any_size_do_not_overflow() -> None:
    features, labels = clouds(3, 20, 0)
    flat = fit_linear(examples((features * 1e4, labels)), 3, 1.0)
    assert np.isfinite(flat).all()
    assert np.array_equal(probabilities(flat, features * 1e4, 3).argmax(axis=1), labels)


# The strength that is chosen


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_kernel_maps_channels_to_classes(classes: int) -> None:
    head = head_on(clouds(classes, 40, 0), clouds(classes, 10, 1), classes)
    assert head.kernel.shape == (CHANNELS, classes)
    assert head.bias.shape == (classes,)
    assert head.val_accuracy == 1.0
    assert np.array_equal((np.eye(CHANNELS)[:classes] @ head.kernel + head.bias).argmax(axis=1), np.arange(classes))


@pytest.mark.parametrize("spread", [0.1, 0.5, 0.8, 1.2])
def test_the_strength_with_the_lowest_validation_loss_is_kept(spread: float) -> None:
    """Clear classes bear the weakest regularisation, blurred ones a stronger one."""
    train, (features, labels) = clouds(3, 40, 0, spread), clouds(3, 200, 1, spread)
    losses = {}
    for strength in STRENGTHS:
        flat = fit_linear(examples(train), 3, strength)
        losses[strength] = -np.log(probabilities(flat, features, 3)[np.arange(600), labels]).mean()
    head = head_on(train, (features, labels), 3)
    assert head.strength == min(losses, key=losses.get)
    assert log_loss(features @ head.kernel + head.bias, labels) == pytest.approx(losses[head.strength], abs=1e-3)


def test_where_validation_labels_are_noise_the_head_claims_least() -> None:
    train, (features, _) = clouds(3, 40, 0), clouds(3, 40, 1)
    noise = np.random.default_rng(2).integers(0, 3, len(features))
    assert head_on(train, (features, noise), 3).strength == STRENGTHS[0]


def test_clear_classes_take_the_largest_strength() -> None:
    assert head_on(clouds(3, 40, 0), clouds(3, 40, 1), 3).strength == STRENGTHS[-1]


def test_validation_accuracy_is_measured_on_the_validation_photos() -> None:
    features, labels = clouds(3, 20, 1)
    swapped = labels.copy()
    swapped[:15] = 1  # 15 of 60 are not what they look like
    assert head_on(clouds(3, 40, 0), (features, swapped), 3).val_accuracy == pytest.approx(0.75)


# Many photos: a sample chooses the strength


def test_a_sample_is_spread_evenly_and_keeps_labels_and_weights_with_their_photos() -> None:
    features = np.arange(100, dtype=np.float32)[:, None]
    some = sample(Examples(features, np.arange(100), np.arange(100) / 7), 12)
    assert some.labels.tolist() == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    assert np.array_equal(some.features[:, 0], some.labels)
    assert np.array_equal(some.weights, some.labels / 7)


@pytest.mark.parametrize("limit", [10, 11])
def test_few_enough_photos_are_all_of_the_sample(limit: int) -> None:
    train = Examples(np.zeros((10, 2), np.float32), np.zeros(10, np.int64), np.ones(10))
    assert sample(train, limit) is train


def test_the_strength_is_chosen_on_a_sample_and_the_head_is_fitted_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo of the sample counts as much more as there are fewer of them, so that C means the same."""
    fitted = []

    def note(
        train: Examples, classes: int, strength: float, start: np.ndarray | None, out_of_time: Callable[[], bool]
    ) -> np.ndarray:
        fitted.append((len(train.labels), strength))
        return fit_linear(train, classes, strength, start)

    monkeypatch.setattr(trainer.learning.head, "fit_linear", note)
    monkeypatch.setattr(trainer.learning.head, "CHOOSING_ROWS", 30)
    train = clouds(3, 40, 0)
    head = head_on(train, clouds(3, 40, 1), 3)
    assert fitted == [*((30, pytest.approx(4 * strength)) for strength in STRENGTHS), (120, head.strength)]
    everything = fit_linear(examples(train), 3, head.strength).reshape(-1, 3)
    assert probabilities(np.vstack([head.kernel, head.bias]), train[0], 3) == pytest.approx(
        probabilities(everything, train[0], 3), abs=2e-3
    )


def test_without_time_for_all_photos_the_head_of_the_sample_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.learning.head, "CHOOSING_ROWS", 30)
    head = head_on(clouds(3, 40, 0), clouds(3, 40, 1), 3, out_of_time=lambda: True)
    assert (head.strength, head.val_accuracy) == (STRENGTHS[0], 1.0)


# Progress and time


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list to which each strength is added when it is fitted."""
    strengths = []

    def note(
        train: Examples, classes: int, strength: float, start: np.ndarray | None, out_of_time: Callable[[], bool]
    ) -> np.ndarray:
        strengths.append(strength)
        return fit_linear(train, classes, strength, start)

    monkeypatch.setattr(trainer.learning.head, "fit_linear", note)
    return strengths


def test_strengths_are_tried_until_the_loss_rises_twice(tried: list[float]) -> None:
    train, (features, _) = clouds(3, 40, 0), clouds(3, 40, 1)
    head_on(train, (features, np.random.default_rng(2).integers(0, 3, len(features))), 3)
    assert tried == list(STRENGTHS[:3])


def test_every_strength_is_one_step_of_progress_tried_or_not(tried: list[float]) -> None:
    train, (features, _) = clouds(3, 40, 0), clouds(3, 40, 1)
    steps = []
    train_head(examples(train), (features, np.random.default_rng(2).integers(0, 3, 120)), 3, steps.append)
    assert steps == [1] * len(STRENGTHS)


def test_without_time_there_is_a_head_all_the_same(tried: list[float]) -> None:
    head = head_on(clouds(3, 40, 0), clouds(3, 10, 1), 3, out_of_time=lambda: True)
    assert tried == [STRENGTHS[0]]
    assert (head.strength, head.val_accuracy) == (STRENGTHS[0], 1.0)


def test_when_time_runs_out_the_best_so_far_is_taken(tried: list[float]) -> None:
    answers = iter([False, True, True, True])
    head = head_on(clouds(3, 40, 0), clouds(3, 10, 1), 3, out_of_time=lambda: next(answers))
    assert tried == list(STRENGTHS[:2])
    assert head.strength == STRENGTHS[1]


def test_a_fit_ends_too_when_time_runs_out_but_not_before_it_is_a_head() -> None:
    """A single fit may take longer than the whole budget."""
    rng, asked = np.random.default_rng(0), []
    features, labels = rng.normal(0, 1, (300, 60)).astype(np.float32), rng.integers(0, 3, 300)
    features[:, 0] += 4 * (labels == 1)
    hard = examples((features, labels))
    flat = fit_linear(hard, 3, 1e4, out_of_time=lambda: not asked.append(None))
    assert len(asked) == 1
    assert not np.allclose(flat, fit_linear(hard, 3, 1e4))
    kernel, bias = flat.reshape(-1, 3)[:-1], flat.reshape(-1, 3)[-1]
    assert ((features @ kernel + bias).argmax(axis=1) == labels).mean() > 0.6


def test_every_fit_starts_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    starts, results = [], []

    def note(
        train: Examples, classes: int, strength: float, start: np.ndarray | None, out_of_time: Callable[[], bool]
    ) -> np.ndarray:
        starts.append(start)
        results.append(fit_linear(train, classes, strength, start))
        return results[-1]

    monkeypatch.setattr(trainer.learning.head, "fit_linear", note)
    head_on(clouds(3, 40, 0), clouds(3, 10, 1), 3)
    assert starts[0] is None
    assert all(start is result for start, result in zip(starts[1:], results, strict=False))


def test_a_fit_that_does_not_converge_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of very different sizes need more steps than there are."""
    rng = np.random.default_rng(0)
    features = (rng.normal(0, 1, (60, 40)) * np.geomspace(1e-3, 1e3, 40)).astype(np.float32)
    passes = []
    blocks = Examples.blocks
    monkeypatch.setattr(Examples, "blocks", lambda self: passes.append(1) or blocks(self))
    flat = fit_linear(examples((features, rng.integers(0, 3, 60))), 3, 1e6)
    assert np.isfinite(flat).all()
    assert len(passes) < 3 * MAX_ITERATIONS
