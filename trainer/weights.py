"""The weights that a network starts from: Keras' own, their hash pinned where it is known, or a file.

Files are read as arrays, never as a model: a .keras or full-model .h5 file can carry code.
"""

import contextlib
import hashlib
import sys
from pathlib import Path
from typing import Any

from edge.errors import MissingInputError, ModelError, UnavailableError
from trainer.network import Network

_BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_HDF5_MARK = b"\x89HDF\r\n\x1a\n"
# The SHA-256 is that of a file used in this project; the MD5s of V3 are Keras' own (keras.applications.
# mobilenet_v3), those of V1 and V2 are published in a public model store's table (Keras has none). A file that
# is not here is recorded in the bundle by its SHA-256, not refused.
PINNED = {
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5": (
        "sha256",
        "d43c70f8ea04b1087170401b2f4739f41b94200e30892ea8d050ac65779146c6",
    ),
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5": ("md5", "f1a68526548f7541cda07e19ba6c85f4"),
    "mobilenet_1_0_224_tf_no_top.h5": ("md5", "725ccbd03d61d7ced5b5c4cd17e7d527"),
    "weights_mobilenet_v3_small_minimalistic_224_1.0_float_no_top_v2.h5": ("md5", "cde8136e733e811080d9fcd8a252f7e4"),
    "weights_mobilenet_v3_large_minimalistic_224_1.0_float_no_top_v2.h5": ("md5", "ec5221f64a2f6d1ef965a614bdae7973"),
}
_V1_WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


def keras_file(network: Network) -> tuple[str, str]:
    """Name of Keras' ImageNet weights for `network`, without top, and where they are."""
    family = network.family
    size = network.size if network.size in family.sizes else 224
    if network.architecture == "mobilenet_v1":
        name = f"mobilenet_{_V1_WIDTHS[network.alpha]}_{size}_tf_no_top.h5"
        return name, _BASE + "mobilenet/" + name
    if network.architecture == "mobilenet_v2":
        name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{network.alpha}_{size}_no_top.h5"
        return name, _BASE + "mobilenet_v2/" + name
    size_name = network.architecture.removeprefix("mobilenet_v3_")
    name = f"weights_mobilenet_v3_{size_name}_minimalistic_224_1.0_float_no_top_v2.h5"
    return name, _BASE + "mobilenet_v3/" + name


def find_weights(network: Network, weights: str) -> Path | None:
    """The weights file, downloaded by Keras into its cache where weights is "imagenet"; None for "none".

    Raises UnavailableError where the download fails, with the file to fetch elsewhere; MissingInputError
    and ModelError for a file that is not there or no weights file, or not the one that its name promises."""
    if weights == "none":
        return None
    path = _download(network) if weights == "imagenet" else Path(weights)
    try:
        with path.open("rb") as file:
            mark = file.read(8)
    except OSError as error:
        raise MissingInputError(f"weights {path}: cannot read: {error.strerror or error}") from error
    if path.suffix != ".h5" or mark != _HDF5_MARK:
        raise ModelError(f"weights {path}: not a Keras .h5 weights file: give the *_no_top.h5 file")
    _check_hash(path)
    return path


def load_weights(backbone: Any, network: Network, path: Path) -> None:
    """Put the arrays of `path` into the Keras model `backbone`. Raises ModelError where they do not fit."""
    try:
        backbone.load_weights(path)
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = lines[0][:160] if lines else type(error).__name__
        raise ModelError(
            f"{path}: not weights of {network.title} without top ({reason}): check --arch and --alpha against the file"
        ) from error


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(network: Network) -> Path:
    import keras

    name, address = keras_file(network)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress there; ours is for results
            return Path(keras.utils.get_file(name, address, cache_subdir="models"))
    except Exception as error:
        raise UnavailableError(
            f"the ImageNet weights of {network.title} could not be downloaded: fetch Keras' file {name} on a machine "
            f"with a network ({address}) and give it with --weights FILE"
        ) from error


def _check_hash(path: Path) -> None:
    pinned = PINNED.get(path.name)
    if pinned is None:
        return
    kind, expected = pinned
    with path.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        raise ModelError(
            f"weights {path}: {kind} {found[:12]}..., must be {expected[:12]}... for a file of that name: damaged or "
            "changed: fetch it again, or rename it if you mean this one"
        )
