"""Find and load the weights that a network starts from: Keras' own, their hash pinned if it is known, or a file.

Files are read as arrays, never as a model: a .keras or full-model .h5 file can carry code.
"""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import MissingInputError, ModelError, UnavailableError
from edge.images import readable_name
from trainer.networks.families import Network
from trainer.networks.weights_trial import DAMAGED, try_weights

# The largest network has 20 MB of weights; a file of the whole model, with its optimizer, some times that.
_MAX_BYTES = 512 << 20
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


def find_weights(network: Network, weights: str) -> Path | None:
    """Return the weights file, downloaded into Keras' cache if weights is "imagenet"; None for "none".

    Raises UnavailableError if the download fails, with the file to fetch elsewhere; MissingInputError
    and ModelError for a file that is missing or no weights file, or not the one that its name promises."""
    if weights == "none":
        return None
    path = _download(network) if weights == "imagenet" else Path(weights)
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if (
            not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or size > _MAX_BYTES
        ):  # opening a folder raises a better error
            raise ModelError(f"weights {path}: not a plain file of at most {_MAX_BYTES >> 20} MiB: give another file")
        with path.open("rb") as file:
            mark = file.read(8)
    except OSError as error:
        raise MissingInputError(f"weights {path}: cannot read: {error.strerror or error}") from error
    if path.suffix != ".h5" or mark != _HDF5_MARK:
        fix = _fetch_again(path) or "give the *_no_top.h5 file"
        raise ModelError(f"weights {path}: not a Keras .h5 weights file: {fix}")
    _check_hash(path)
    return path


def load_weights(backbone: Any, network: Network, path: Path) -> None:
    """Put the arrays of `path` into the Keras model `backbone`. Raises ModelError if their shapes do not fit or they
    cannot be read, which a child process of limited memory tries first, or if they are not all finite; UnavailableError
    if there is no process to be had."""
    expected = [
        tuple(variable.shape)
        for layer in backbone.layers
        for variable in (*layer.trainable_weights, *layer.non_trainable_weights)  # the order of .h5 files
    ]
    if reason := try_weights(path, expected):
        raise _unfit(network, path, reason)
    try:
        backbone.load_weights(path)
    except Exception as error:
        raise _unfit(network, path, str(error).strip() or type(error).__name__) from error
    bad = [variable.path for variable in backbone.weights if not np.isfinite(np.asarray(variable)).all()]
    if bad:
        fix = _fetch_again(path) or "give another file"
        raise ModelError(f"weights {path}: {bad[0]} holds NaN or infinite values, must be finite: {fix}")


def _unfit(network: Network, path: Path, reason: str) -> ModelError:
    otherwise = "copy it again" if reason == DAMAGED else "check --alpha and, in training, --arch against the file"
    fix = _fetch_again(path) or otherwise
    line = readable_name(reason.splitlines()[0][:160])
    return ModelError(f"{path}: not weights of {network.title} without top ({line}): {fix}")


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Return the folder of Keras' downloaded weights, by the rules of keras.utils.get_file."""
    home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    return (home if os.access(home, os.W_OK) else Path("/tmp/.keras")) / "models"


def _download(network: Network) -> Path:
    """Return the file in Keras' cache, downloaded if it is not there."""
    import keras

    # Into a private folder first: Keras takes any file of that name for whole, also one that was cut short.
    name, address = network.keras_file()
    target = cache_folder() / name
    if target.exists():
        return target
    kind, expected = PINNED.get(name, ("auto", None))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as private,
            contextlib.redirect_stdout(sys.stderr),  # Keras shows its progress there; ours is for results
        ):
            fetched = keras.utils.get_file(
                name, address, cache_dir=private, cache_subdir="", file_hash=expected, hash_algorithm=kind
            )
            with Path(fetched).open("rb") as file:
                os.fsync(file.fileno())
            Path(fetched).replace(target)
        return target
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
        fix = _fetch_again(path) or "fetch it again, or rename it if you mean this one"
        raise ModelError(
            f"weights {path}: {kind} {found[:12]}..., must be {expected[:12]}... for a file of that name: damaged or "
            f"changed: {fix}"
        )


def _fetch_again(path: Path) -> str:
    """Return the fix for a file of the cache; '' for one that the user gave."""
    return f"delete {path} and try again" if path.absolute().parent == cache_folder().absolute() else ""
