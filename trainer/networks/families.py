"""Which MobileNet: architecture, width, input size, and what of them there are ImageNet weights for. No
TensorFlow here: the command line checks its options with it."""

from dataclasses import dataclass

from edge.errors import ModelError

MIN_SIZE, MAX_SIZE = 32, 320


@dataclass(frozen=True, slots=True)
class Family:
    """title: for people. constructor: in keras.applications. alphas, sizes: of Keras' ImageNet weights; where
    a size has none of its own, those of 224 are taken. first_tuned: the layer from which fine-tuning moves
    weights; the ones before see edges and colours, which all photos share."""

    title: str
    constructor: str
    alphas: tuple[float, ...]
    sizes: tuple[int, ...]
    first_tuned: str


# V3 in its minimalistic form only: hard-swish and squeeze-and-excite are not for the Edge TPU, and lose badly
# under int8 (tensorflow/models issue 11274).
FAMILIES = {
    "mobilenet_v1": Family("MobileNetV1", "MobileNet", (0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224), "conv_dw_4"),
    "mobilenet_v2": Family(
        "MobileNetV2", "MobileNetV2", (0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224), "block_3_expand"
    ),
    "mobilenet_v3_small": Family(
        "MobileNetV3SmallMinimalistic", "MobileNetV3Small", (1.0,), (224,), "expanded_conv_2_expand"
    ),
    "mobilenet_v3_large": Family(
        "MobileNetV3LargeMinimalistic", "MobileNetV3Large", (1.0,), (224,), "expanded_conv_3_expand"
    ),
}


@dataclass(frozen=True, slots=True)
class Network:
    """Architecture (a key of FAMILIES), width multiplier, input side in pixels."""

    architecture: str
    alpha: float
    size: int

    @property
    def family(self) -> Family:
        """What is known of the architecture."""
        return FAMILIES[self.architecture]

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.family.title} {self.alpha:g} {self.size}"

    def check(self, weights: str) -> str | None:
        """A remark about the size, or None. weights: "imagenet", "none" or a file. Raises ModelError where
        there are no such weights."""
        family = self.family
        if weights == "imagenet" and self.alpha not in family.alphas:
            raise ModelError(
                f"--alpha {self.alpha:g}: there are ImageNet weights of {family.title} for "
                f"{', '.join(f'{alpha:g}' for alpha in family.alphas)}: take one of those, or --weights none"
            )
        if weights == "imagenet" and self.size not in family.sizes:
            near = min(family.sizes, key=lambda size: (abs(size - self.size), size))
            return f"the weights were learned at other sizes than {self.size}: {near} is the nearest of theirs"
        if self.size % 32:
            return f"--size {self.size} is no multiple of 32: the network's last rows and columns see less"
        return None
