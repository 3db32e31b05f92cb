"""Two networks as one source: what the second sees, and how much either counts."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from mean_colours import MeanColours, colour_photos, sorted_photos
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from edge.bundle.store import Bundle
from edge.cli import cli, status_of
from trainer.dataset.machine_labels import read_machine_labels
from trainer.picking.two_networks import TwoNetworks


class Noting(MeanColours):
    """Mean levels, a hundredth of them, of an own size and order; remembers what it saw."""

    def __init__(self, order: Literal["rgb", "bgr"], side: int) -> None:
        self.spec = Preprocessing(channel_order=order, resize="squash", mean=(0.0,) * 3, std=(1.0,) * 3)
        quantization = Quantization(scale=1.0, zero_point=0)
        self.tensor = InputTensor(width=side, height=side, dtype="uint8", quantization=quantization)
        self.seen: list[NDArray[np.uint8]] = []
        self.closed = False

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen.append(pixels)
        return super().features(pixels) / 100

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)


def test_either_counts_as_much(pixels: NDArray[np.uint8]) -> None:
    both = TwoNetworks(MeanColours(), Noting("rgb", 32))
    found = both.features(pixels)
    assert found.shape == (4, both.channels) == (4, 6)
    assert found.dtype == np.float32
    assert np.array_equal(found[:, :3], MeanColours().features(pixels))
    assert np.linalg.norm(found[:, 3:], axis=1) == pytest.approx(np.linalg.norm(found[:, :3], axis=1))


@pytest.mark.parametrize("side", [16, 32, 96])
def test_the_second_sees_the_same_picture_in_its_own_size_and_order(pixels: NDArray[np.uint8], side: int) -> None:
    second = Noting("bgr", side)
    TwoNetworks(MeanColours(), second).features(pixels)
    assert second.seen[0].shape == (4, side, side, 3)
    assert second.seen[0].flags.c_contiguous
    means = pixels[..., ::-1].mean(axis=(1, 2))
    assert second.seen[0].mean(axis=(1, 2)) == pytest.approx(means, abs=2)


def test_a_black_picture_is_no_fault() -> None:
    found = TwoNetworks(MeanColours(), Noting("rgb", 32)).features(np.zeros((1, 32, 32, 3), np.uint8))
    assert not found.any()


def test_both_are_closed() -> None:
    first, second = Noting("rgb", 32), Noting("rgb", 32)
    TwoNetworks(first, second).close()
    assert first.closed
    assert second.closed


def test_spread_looks_with_a_bundle_and_with_weights_beside_it(
    sealed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MobileNet hardly tells noisy colours apart; mean levels do."""
    monkeypatch.setattr("trainer.features.opening.open_backbone", lambda *_: MeanColours())
    few, card = sorted_photos(tmp_path / "few", 8), colour_photos(tmp_path / "card", {"red": 5, "blue": 5})
    words = ["spread", few, card, "--out", tmp_path / "out", "--bundle", sealed.path, "--weights", "imagenet"]

    def invoke() -> None:
        with cli.make_context("fieldfare", ["dataset", *map(str, words), "--workers", "1"]) as context:
            cli.invoke(context)

    assert status_of(invoke) == 0
    made = read_machine_labels(tmp_path / "out")
    assert len(made) == 10
    assert all(Path(name).name.startswith(name.split("/")[0]) for name in made)
