"""Which MobileNets there are, and what each family of them needs: constructor, weights, pixel range.

No TensorFlow here: the command line checks its options with it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge.errors import ModelError

# Keras refuses less than 32 pixels a side: five strides of 2 leave one of them.
MIN_SIZE, MAX_SIZE = 32, 320
_STORE = "https://storage.googleapis.com/tensorflow/keras-applications"
# V3 in its minimalistic form only: hard-swish and squeeze-and-excite are not for the Edge TPU, and lose badly
# under int8 (tensorflow/models issue 11274). Preprocessing stays out of the network: the device does it.
_MINIMALISTIC = {"minimalistic": True, "include_preprocessing": False}


# A named tuple: `fieldfare --help` imports this module, which takes 3 ms with data classes and half of that without.
class Family(NamedTuple):
    """All that differs from one family of MobileNets to the next.

    title: for people.
    constructor: its name in keras.applications.
    alphas: widths that Keras has ImageNet weights for, each as the file's name writes it.
    sizes: input sides of those weights; for any other, the weights of 224 are taken.
    weights: the weights file below Keras' store, without top, with {alpha} and {size}.
    first_tuned: the layer from which fine-tuning moves weights.
    arguments: what the constructor takes besides size, width and weights.
    pixel_mean, pixel_std: a level of 0..255 enters the network as (level - mean) / std.
    """

    title: str
    constructor: str
    alphas: Mapping[float, str]
    sizes: tuple[int, ...]
    weights: str
    first_tuned: str
    arguments: Mapping[str, bool] = MappingProxyType({})
    pixel_mean: float = 127.5
    pixel_std: float = 127.5


# Layers before `first_tuned` see edges and colours, which all photos share: they keep their ImageNet weights.
FAMILIES = {
    "mobilenet_v1": Family(
        title="MobileNetV1",
        constructor="MobileNet",
        alphas={0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"},
        sizes=(128, 160, 192, 224),
        weights="mobilenet/mobilenet_{alpha}_{size}_tf_no_top.h5",
        first_tuned="conv_dw_4",
    ),
    "mobilenet_v2": Family(
        title="MobileNetV2",
        constructor="MobileNetV2",
        alphas={alpha: str(alpha) for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)},
        sizes=(96, 128, 160, 192, 224),
        weights="mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5",
        first_tuned="block_3_expand",
    ),
    "mobilenet_v3_small": Family(
        title="MobileNetV3SmallMinimalistic",
        constructor="MobileNetV3Small",
        alphas={1.0: "1.0"},
        sizes=(224,),
        weights="mobilenet_v3/weights_mobilenet_v3_small_minimalistic_{size}_{alpha}_float_no_top_v2.h5",
        first_tuned="expanded_conv_2_expand",
        arguments=_MINIMALISTIC,
    ),
    "mobilenet_v3_large": Family(
        title="MobileNetV3LargeMinimalistic",
        constructor="MobileNetV3Large",
        alphas={1.0: "1.0"},
        sizes=(224,),
        weights="mobilenet_v3/weights_mobilenet_v3_large_minimalistic_{size}_{alpha}_float_no_top_v2.h5",
        first_tuned="expanded_conv_3_expand",
        arguments=_MINIMALISTIC,
    ),
}
DEFAULT_FAMILY = "mobilenet_v2"


class Network(NamedTuple):
    """Architecture (a key of FAMILIES), width multiplier, input side in pixels."""

    architecture: str
    alpha: float
    size: int

    @property
    def family(self) -> Family:
        """What all networks of this architecture share."""
        return FAMILIES[self.architecture]

    @property
    def title(self) -> str:
        """Name for people, such as 'MobileNetV2 0.35 224'."""
        return f"{self.family.title} {self.alpha:g} {self.size}"

    def check(self, weights: str) -> str | None:
        """Return a remark about the size, or None. weights: "imagenet", "none" or a file.

        Raises ModelError if there are no such weights."""
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

    def keras_file(self) -> tuple[str, str]:
        """Return the name of Keras' ImageNet weights without top, and their address."""
        family = self.family
        size = self.size if self.size in family.sizes else 224
        path = family.weights.format(alpha=family.alphas[self.alpha], size=size)
        return path.rpartition("/")[2], f"{_STORE}/{path}"
