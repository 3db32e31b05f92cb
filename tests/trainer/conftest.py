"""Fixtures that the trainer's tests share: generated pictures, and photos of coloured shapes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization

Pixels = NDArray[np.uint8]
COLOURS_BGR = {"blue-triangle": (230, 40, 20), "green-square": (30, 220, 30), "red-disc": (20, 20, 230)}


def scene(rng: np.random.Generator, width: int = 96, height: int = 72) -> Pixels:
    """Draw a smooth picture of many colours, uint8 (height, width, 3): no two are alike, and JPEG hardly changes it."""
    coarse = rng.integers(60, 190, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def shape(kind: str, rng: np.random.Generator) -> Pixels:
    """Draw one of three coloured shapes at a random place on a scene: uint8 (72, 96, 3), B, G, R."""
    picture = scene(rng)
    x, y, r = int(rng.integers(30, 66)), int(rng.integers(25, 47)), int(rng.integers(14, 22))
    colour = COLOURS_BGR[kind]
    if kind == "red-disc":
        cv2.circle(picture, (x, y), r, colour, -1)
    elif kind == "green-square":
        cv2.rectangle(picture, (x - r, y - r), (x + r, y + r), colour, -1)
    else:
        cv2.fillPoly(picture, [np.array([[x, y - r], [x - r, y + r], [x + r, y + r]])], colour)
    return picture


def write(path: Path, picture: Pixels, quality: int = 92) -> Path:
    """Save a B, G, R picture; folders are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


@pytest.fixture(scope="session")
def paint() -> Callable[..., Pixels]:
    """Draw a picture: scene(rng, width, height)."""
    return scene


@pytest.fixture(scope="session")
def save_photo() -> Callable[..., Path]:
    """Save a picture: write(path, picture, quality)."""
    return write


@pytest.fixture(scope="session")
def shapes() -> Callable[[Path, int], Path]:
    """Fill a folder with photos of three coloured shapes: (folder, photos of each) -> folder."""

    def make(root: Path, per_class: int) -> Path:
        rng = np.random.default_rng(7)
        for kind in COLOURS_BGR:
            for number in range(per_class):
                write(root / kind / f"{number:03}.jpg", shape(kind, rng))
        return root

    return make


@pytest.fixture(scope="session")
def v2_weights(shared: Path) -> Path:
    """ImageNet weights of MobileNetV2 0.35."""
    return shared / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


@pytest.fixture(scope="session")
def lively() -> Callable[[Any, int], Any]:
    """Give a backbone random BatchNorm statistics that keep the signal alive through all of its layers (purely
    random ones end in all zeros or all sixes), and dead channels, as the ImageNet weights have them."""

    def enliven(backbone: Any, seed: int) -> Any:
        import keras

        rng = np.random.default_rng(seed)
        norms = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for norm in norms:
            norm.gamma.assign(rng.uniform(0.7, 1.5, norm.gamma.shape))
            norm.beta.assign(rng.normal(0.3, 0.5, norm.beta.shape))
            norm.momentum = 0.0
        for layer in backbone.layers:
            if type(layer) is keras.layers.Conv2D:
                kernel = layer.get_weights()[0]
                kernel[..., : kernel.shape[-1] // 10] = 0
                layer.set_weights([kernel])
        backbone(rng.uniform(-1, 1, (64, *backbone.input_shape[1:])).astype(np.float32), training=True)
        for norm in norms:
            variance, mean = norm.moving_variance.numpy(), norm.moving_mean.numpy()
            norm.moving_mean.assign(mean + 0.2 * np.sqrt(variance) * rng.normal(0, 1, mean.shape))
            norm.moving_variance.assign(np.maximum(variance * rng.uniform(0.7, 1.4, variance.shape), 1e-36))
        return backbone

    return enliven


@pytest.fixture(scope="session")
def untrained(lively: Callable[[Any, int], Any], spec: Preprocessing) -> Callable[..., Any]:
    """Build a folded network that was never trained, but gives different answers to different `pixels`.

    (architecture, alpha, pixels) -> Keras model with three logits. folded=False leaves BatchNorm in, as a training
    from scratch does."""

    def build(architecture: str, alpha: float, pixels: Pixels, *, folded: bool = True) -> Any:
        import keras

        from trainer.learning.predict import Predictor
        from trainer.networks.backbone import add_head, build_backbone, fold_batch_norm
        from trainer.networks.families import Network

        keras.utils.set_random_seed(1)
        backbone = lively(build_backbone(Network(architecture, alpha, pixels.shape[1]), None), 1)
        if folded:
            backbone = fold_batch_norm(backbone)
        kernel = np.random.default_rng(2).normal(0, 1, (backbone.output_shape[-1], 3))
        answers = Predictor(backbone, spec).predict(pixels, np.arange(len(pixels))) @ kernel
        gain = 4 / answers.std(axis=0)  # centred and stretched
        model = add_head(backbone, 3)
        model.get_layer("logits").set_weights([kernel * gain, -answers.mean(axis=0) * gain])
        return model

    return build


@pytest.fixture(scope="session")
def pictures() -> Pixels:
    """Forty pictures without very dark or very bright pixels: uint8 (40, 32, 32, 3)."""
    rng = np.random.default_rng(0)
    return np.stack([scene(rng, 32, 32) for _ in range(40)]).clip(40, 210)


@pytest.fixture(scope="session")
def spec() -> Preprocessing:
    """The preprocessing of MobileNets."""
    return Preprocessing(channel_order="rgb", resize="squash", mean=(127.5,) * 3, std=(127.5,) * 3)


@pytest.fixture(scope="session")
def tensor() -> InputTensor:
    """A small input, 32 pixels a side."""
    return InputTensor(width=32, height=32, dtype="int8", quantization=Quantization(scale=1 / 127.5, zero_point=-1))
