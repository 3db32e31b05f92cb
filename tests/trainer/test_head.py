"""The linear head, trained to convergence on cached features."""

import numpy as np
import pytest

from trainer.head import STRENGTHS, train_head
from trainer.predict import log_loss

CHANNELS = 8


def clouds(classes: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Class n lies around unit vector n."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = rng.normal(0, 0.1, (len(labels), CHANNELS))
    features[np.arange(len(labels)), labels] += 1
    return features.astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_kernel_maps_channels_to_classes(classes):
    head = train_head(clouds(classes, 40, 0), clouds(classes, 10, 1), classes, lambda _: None)
    assert head.kernel.shape == (CHANNELS, classes)
    assert head.bias.shape == (classes,)
    assert head.val_accuracy == 1.0
    assert np.array_equal((np.eye(CHANNELS)[:classes] @ head.kernel + head.bias).argmax(axis=1), np.arange(classes))


def test_the_two_columns_of_two_classes_give_the_probabilities_of_the_one_that_scikit_learn_keeps():
    """Softmax over (-z/2, z/2) is the sigmoid of z."""
    from sklearn.linear_model import LogisticRegression

    train, val = clouds(2, 40, 0), clouds(2, 10, 1)
    head = train_head(train, val, 2, lambda _: None)
    logits = val[0] @ head.kernel + head.bias
    ours = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    theirs = [LogisticRegression(C=c, max_iter=500).fit(*train).predict_proba(val[0]) for c in STRENGTHS]
    assert min(np.abs(ours - probabilities).max() for probabilities in theirs) < 1e-5


def test_the_strength_with_the_lowest_validation_loss_is_kept():
    """The validation labels are noise, so the head that claims least about them wins: the strongest
    regularisation."""
    from sklearn.linear_model import LogisticRegression

    train, (features, _) = clouds(3, 40, 0), clouds(3, 40, 1)
    noise = np.random.default_rng(2).integers(0, 3, len(features))
    head = train_head(train, (features, noise), 3, lambda _: None)
    weakest = LogisticRegression(C=min(STRENGTHS), max_iter=500).fit(*train)
    assert np.allclose(head.kernel, weakest.coef_.T)
    firm = LogisticRegression(C=max(STRENGTHS), max_iter=500).fit(*train)
    assert log_loss(features @ head.kernel + head.bias, noise) < log_loss(firm.decision_function(features), noise)


def test_validation_accuracy_is_measured_on_the_validation_photos():
    features, labels = clouds(3, 20, 1)
    swapped = labels.copy()
    swapped[:15] = 1  # 15 of 60 are not what they look like
    assert train_head(clouds(3, 40, 0), (features, swapped), 3, lambda _: None).val_accuracy == pytest.approx(0.75)


def test_every_strength_is_one_step_of_progress():
    steps = []
    train_head(clouds(2, 8, 0), clouds(2, 4, 1), 2, steps.append)
    assert steps == [1] * len(STRENGTHS)
