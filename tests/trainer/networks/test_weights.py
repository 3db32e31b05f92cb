"""The weights that a network starts from: which file, whether it is the right one, and that it is only read."""

import contextlib
import functools
import hashlib
import json
import marshal
import os
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edge.errors import MissingInputError, ModelError, UnavailableError
from trainer.native_output import load_tensorflow
from trainer.networks.backbone import build_backbone
from trainer.networks.families import FAMILIES, Network
from trainer.networks.weights import PINNED, cache_folder, find_weights, load_weights, sha256_of

V2 = Network("mobilenet_v2", 0.35, 32)
V1 = Network("mobilenet_v1", 0.25, 32)
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
HDF5 = b"\x89HDF\r\n\x1a\n"


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    load_tensorflow()
    import keras

    return keras


class Asked(Exception):
    """Keras wants this file."""


@pytest.fixture(scope="module")
def asked_by_keras(keras: Any) -> Callable[[Network], tuple[str, str, str | None]]:
    """The name and address that Keras itself asks for, and the file's MD5 if it knows one."""
    from keras.src.utils import file_utils

    def get_file(name: str, address: str, cache_subdir: str = "", file_hash: str | None = None) -> None:
        raise Asked(name, address, file_hash)

    @functools.cache
    def ask(network: Network) -> tuple[str, str, str | None]:
        more = {"minimalistic": True} if "v3" in network.architecture else {}
        constructor = getattr(keras.applications, network.family.constructor)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Asked) as asked:
            patch.setattr(file_utils, "get_file", get_file)
            shape = (network.size, network.size, 3)
            constructor(input_shape=shape, alpha=network.alpha, include_top=False, weights="imagenet", **more)
        return asked.value.args

    return ask


# Which file


@pytest.mark.filterwarnings("ignore:.*Weights for input shape .* will be loaded as the default")
@pytest.mark.parametrize(
    "network",
    [
        *(Network("mobilenet_v1", alpha, 128) for alpha in FAMILIES["mobilenet_v1"].alphas),
        Network("mobilenet_v1", 0.25, 192),
        Network("mobilenet_v1", 0.25, 64),  # no weights of its own: those of 224
        Network("mobilenet_v2", 0.35, 96),
        Network("mobilenet_v2", 1.3, 320),
        Network("mobilenet_v3_small", 1.0, 96),
        Network("mobilenet_v3_large", 1.0, 224),
    ],
    ids=lambda network: network.title,
)
def test_the_file_is_the_one_that_keras_itself_would_ask_for(
    asked_by_keras: Callable[[Network], tuple[str, str, str | None]], network: Network
) -> None:
    assert network.keras_file() == asked_by_keras(network)[:2]


@pytest.mark.filterwarnings("ignore:.*Weights for input shape .* will be loaded as the default")
@pytest.mark.parametrize(
    "network", [Network("mobilenet_v3_small", 1.0, 96), Network("mobilenet_v3_large", 1.0, 224)], ids=lambda n: n.title
)
def test_a_hash_that_keras_knows_is_pinned_here_too(
    asked_by_keras: Callable[[Network], tuple[str, str, str | None]], network: Network
) -> None:
    name, _, md5 = asked_by_keras(network)
    assert PINNED.get(name) == ("md5", md5)


def test_none_is_no_file() -> None:
    assert find_weights(V2, "none") is None


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keras' folder of weights, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "models"


@pytest.fixture
def serve(keras: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple]]:
    """Let keras.utils.get_file store `content` where it is told to, then do `what`; what it was asked for."""

    def start(content: bytes, what: Callable[[], None] = lambda: None) -> list[tuple]:
        asked = []

        def get_file(name: str, address: str, *, cache_dir: str, cache_subdir: str, **hashes: str) -> str:
            asked.append((name, address, hashes))
            path = Path(cache_dir) / cache_subdir / name
            path.write_bytes(content)
            what()
            return str(path)

        monkeypatch.setattr(keras.utils, "get_file", get_file)
        return asked

    return start


def test_the_cache_is_where_keras_itself_has_it(keras: Any, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    (cache / "here").mkdir(parents=True)
    (cache / "here" / "file").touch()
    found = keras.utils.get_file(
        "file", "http://nowhere.invalid/file", cache_dir=cache.parent, cache_subdir="models/here"
    )
    assert Path(found) == cache_folder() / "here" / "file"
    monkeypatch.setenv("KERAS_HOME", "/proc/nowhere")
    assert cache_folder() == Path("/tmp/.keras/models")


def test_imagenet_weights_are_fetched_once_with_the_hash_that_is_known(
    serve: Callable[..., list[tuple]], cache: Path, shared: Path
) -> None:
    content = (shared / "weights" / WEIGHTS).read_bytes()
    asked = serve(content)
    for _ in range(2):
        assert find_weights(V2, "imagenet") == cache / WEIGHTS
    assert asked == [(*V2.keras_file(), {"file_hash": PINNED[WEIGHTS][1], "hash_algorithm": "sha256"})]
    assert (cache / WEIGHTS).read_bytes() == content
    assert list(cache.iterdir()) == [cache / WEIGHTS]


def test_without_a_hash_keras_is_given_none(serve: Callable[..., list[tuple]], cache: Path) -> None:
    asked = serve(HDF5)
    assert find_weights(V1, "imagenet").parent == cache
    assert asked[0][2] == {"file_hash": None, "hash_algorithm": "auto"}


@pytest.mark.parametrize("end", [SystemExit(143), KeyboardInterrupt(), OSError("URL fetch failure")])
def test_a_download_that_is_cut_short_leaves_nothing_in_the_cache(
    serve: Callable[..., list[tuple]], cache: Path, end: BaseException
) -> None:
    """SystemExit is what SIGTERM becomes, and what Keras does not tidy up after."""

    def stop() -> None:
        raise end

    serve(HDF5, stop)
    with pytest.raises(UnavailableError if isinstance(end, OSError) else type(end)):
        find_weights(V2, "imagenet")
    assert list(cache.iterdir()) == []


@pytest.mark.process
def test_a_download_that_is_killed_does_not_get_the_name_of_a_whole_file(cache: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; import keras; from trainer.networks.families import Network; "
        "from trainer.networks.weights import find_weights\n"
        "def get_file(name, address, cache_dir, **_):\n"
        f"    Path(cache_dir, name).write_bytes({HDF5!r}); os.kill(os.getpid(), signal.SIGKILL)\n"
        "keras.utils.get_file = get_file\n"
        "find_weights(Network('mobilenet_v2', 0.35, 32), 'imagenet')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (cache / WEIGHTS).exists()


@pytest.mark.parametrize("architecture", FAMILIES)
@pytest.mark.parametrize("failure", [OSError("URL fetch failure"), Exception("timed out"), ValueError("wrong hash")])
def test_without_a_network_the_message_names_the_file_to_fetch_and_the_option(
    keras: Any, monkeypatch: pytest.MonkeyPatch, cache: Path, architecture: str, failure: Exception
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(keras.utils, "get_file", offline)
    network = Network(architecture, 1.0, 224)
    with pytest.raises(UnavailableError) as unavailable:
        find_weights(network, "imagenet")
    name, address = network.keras_file()
    message = str(unavailable.value)
    assert f"the ImageNet weights of {network.title} could not be downloaded" in message
    assert f"fetch Keras' file {name} on a machine with a network ({address})" in message
    assert message.endswith("--weights FILE")


# Whether it is the right one


def test_a_file_that_is_given_is_taken(shared: Path) -> None:
    path = shared / "weights" / WEIGHTS
    assert find_weights(V2, str(path)) == path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere\.h5: cannot read: No such file"):
        find_weights(V2, str(tmp_path / "nowhere.h5"))


def test_a_pipe_is_no_weights_file_and_is_not_opened(tmp_path: Path) -> None:
    """That would wait for ever."""
    os.mkfifo(tmp_path / "w.h5")
    with pytest.raises(ModelError, match=r"w\.h5: not a plain file of at most 512 MiB: give another file"):
        find_weights(V2, str(tmp_path / "w.h5"))


def test_a_file_too_large_for_weights_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "w.h5").open("wb") as file:
        file.write(HDF5)
        file.truncate((512 << 20) + 1)
    with pytest.raises(ModelError, match="at most 512 MiB"):
        find_weights(V2, str(tmp_path / "w.h5"))


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read: Is a directory"):
        find_weights(V2, str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.h5", b"PK\x03\x04 a zip"),
        ("weights.h5", b""),
        ("weights.h5", HDF5[:-1]),
        ("model.keras", b"PK\x03\x04 a zip"),
        ("model.keras", HDF5),
        ("model.tflite", HDF5),
        ("weights", HDF5),
    ],
)
def test_a_file_that_is_no_h5_weights_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: not a Keras \.h5 weights file: give the \*_no_top\.h5 file"):
        find_weights(V2, str(tmp_path / name))


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_changed_file_of_a_pinned_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    right = HDF5 + b"the weights"
    monkeypatch.setitem(PINNED, "pinned.h5", (kind, hashlib.new(kind, right).hexdigest()))
    path = tmp_path / "pinned.h5"
    path.write_bytes(right)
    assert find_weights(V2, str(path)) == path
    path.write_bytes(HDF5 + b"the weighty")
    with pytest.raises(ModelError, match=rf"pinned\.h5: {kind} .*damaged or changed: fetch it again, or rename it"):
        find_weights(V2, str(path))


def test_a_changed_file_of_keras_own_is_refused_and_under_another_name_is_taken(shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / "weights" / WEIGHTS).read_bytes())
    content[-1] ^= 1
    for name in (WEIGHTS, "mine_no_top.h5"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"sha256 \w{12}\.\.\., must be d43c70f8ea04\.\.\. for a file of that name"):
        find_weights(V2, str(tmp_path / WEIGHTS))
    assert find_weights(V2, str(tmp_path / "mine_no_top.h5")) == tmp_path / "mine_no_top.h5"


@pytest.mark.parametrize("content", [HDF5, b"cut"])
def test_a_file_of_the_cache_that_is_damaged_is_to_be_deleted(cache: Path, content: bytes) -> None:
    """Cut short by an earlier Keras, or written to by somebody else."""
    cache.mkdir()
    (cache / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{WEIGHTS}: .*: delete {cache / WEIGHTS} and try again$"):
        find_weights(V2, "imagenet")


def test_a_file_of_the_cache_that_does_not_load_is_to_be_deleted(cache: Path, shared: Path) -> None:
    """One without a known hash."""
    cache.mkdir()
    path = cache / V1.keras_file()[0]
    path.write_bytes((shared / "weights" / WEIGHTS).read_bytes()[:100_000])
    assert find_weights(V1, "imagenet") == path
    with pytest.raises(ModelError, match=rf"not weights of MobileNetV1 .*: delete {path} and try again$"):
        build_backbone(V1, path)


def test_every_pinned_name_is_one_of_keras_own() -> None:
    networks = [Network(name, a, s) for name, family in FAMILIES.items() for a in family.alphas for s in family.sizes]
    assert set(PINNED) <= {network.keras_file()[0] for network in networks}


def test_the_hash_for_the_bundle_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# What is read from it


@pytest.mark.parametrize("network", [Network("mobilenet_v2", 0.5, 32), V1], ids=["alpha", "architecture"])
def test_weights_of_another_network_are_refused(shared: Path, network: Network) -> None:
    with pytest.raises(
        ModelError, match=r"0\.35_224_no_top\.h5: not weights of MobileNetV.*check --alpha and, in training, --arch"
    ):
        build_backbone(network, shared / "weights" / WEIGHTS)


def test_a_weights_file_that_was_cut_short_is_refused(shared: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut_no_top.h5"
    cut.write_bytes((shared / "weights" / WEIGHTS).read_bytes()[:2_000_000])
    with pytest.raises(ModelError, match=r"cut_no_top\.h5: not weights of MobileNetV2 0\.35 32.*: copy it again$"):
        build_backbone(V2, cut)


@pytest.fixture(scope="module")
def trapped(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[np.ndarray]]:
    """A full-model .h5 whose architecture holds a Lambda that makes a file when it is run: its path, the file
    that must not appear, and the weights that it holds."""
    folder = tmp_path_factory.mktemp("trap")
    path, sprung = folder / "full_model.h5", folder / "sprung"
    keras.utils.set_random_seed(3)
    backbone = build_backbone(V1, None)
    backbone.save(path)

    trap = eval(f"lambda x: (open({str(sprung)!r}, 'w').close(), x)[1]")
    code = b64encode(marshal.dumps(trap.__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    bait = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "bait", "function": function, "arguments": {}},
        "name": "bait",
        "inbound_nodes": [],
    }
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        given, first = config["config"]["layers"][:2]
        bait["inbound_nodes"] = first["inbound_nodes"]
        config["config"].update(layers=[given, bait], output_layers=[["bait", 0, 0]])
        file.attrs["model_config"] = json.dumps(config)
    return path, sprung, backbone.get_weights()


def test_the_trap_works(keras: Any, trapped: tuple[Path, Path, list[np.ndarray]]) -> None:
    """Loaded as a model, the file does run its code: the next test could fail."""
    path, sprung, _ = trapped
    with contextlib.suppress(ValueError):  # the weights do not fit the shortened network
        keras.models.load_model(path, safe_mode=False, compile=False)
    assert sprung.exists()
    sprung.unlink()


def test_code_in_a_full_model_file_is_never_run_and_its_weights_are_read(
    trapped: tuple[Path, Path, list[np.ndarray]],
) -> None:
    path, sprung, weights = trapped
    assert find_weights(V1, str(path)) == path
    found = build_backbone(V1, path).get_weights()
    assert not sprung.exists()
    assert all(np.array_equal(one, other) for one, other in zip(found, weights, strict=True))


def test_code_in_a_file_whose_weights_do_not_fit_is_not_run_either(
    trapped: tuple[Path, Path, list[np.ndarray]],
) -> None:
    path, sprung, _ = trapped
    with pytest.raises(ModelError, match=r"full_model\.h5: not weights of MobileNetV2 0\.35 32 without top"):
        build_backbone(V2, path)
    assert not sprung.exists()


@pytest.fixture(scope="module")
def sound(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """A folder with both forms of Keras' files, model.h5 and only.weights.h5, and the weights in them."""
    folder = tmp_path_factory.mktemp("sound")
    keras.utils.set_random_seed(4)
    backbone = build_backbone(V1, None)
    backbone.save(folder / "model.h5")
    backbone.save_weights(folder / "only.weights.h5")
    return folder, backbone.get_weights()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(
    sound: tuple[Path, list[np.ndarray]], tmp_path: Path, value: float
) -> None:
    path = tmp_path / "spoiled.h5"
    shutil.copyfile(sound[0] / "model.h5", path)
    found = []
    with h5py.File(path, "r+") as file:
        file.visititems(lambda at, _: found.append(at) if "conv_dw_2_bn/moving_variance" in at else None)
        file[found[-1]][3] = value
    message = r"spoiled\.h5: conv_dw_2_bn/moving_variance holds NaN or infinite values, must be finite: give another"
    with pytest.raises(ModelError, match=message):
        build_backbone(V1, path)


@pytest.mark.parametrize("name", ["model.h5", "only.weights.h5"])
def test_an_array_that_would_fill_all_memory_is_refused_unread(
    sound: tuple[Path, list[np.ndarray]], tmp_path: Path, name: str
) -> None:
    """Zeros that were never written take no room in the file: here 4 TB in under 10 MB."""
    path = tmp_path / name
    shutil.copyfile(sound[0] / name, path)
    kernels = []
    with h5py.File(path, "r+") as file:
        file.visititems(lambda at, entry: kernels.append(at) if getattr(entry, "ndim", 0) == 4 else None)
        del file[kernels[0]]
        file.create_dataset(kernels[0], (1_000_000, 1_000_000), "float32", chunks=(1000, 1000))
    with pytest.raises(ModelError, match=r"has the shape \(1000000, 1000000\)|has 1000000000000 values"):
        build_backbone(V1, path)


def test_both_forms_of_keras_files_are_read(sound: tuple[Path, list[np.ndarray]]) -> None:
    folder, weights = sound
    for name in ("model.h5", "only.weights.h5"):
        found = build_backbone(V1, folder / name).get_weights()
        assert all(np.array_equal(one, other) for one, other in zip(found, weights, strict=True))


@pytest.fixture
def empty_h5(tmp_path: Path) -> Path:
    """The weights of a network of no layers."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = []
    return tmp_path / "w.h5"


def test_a_reason_of_many_lines_becomes_one_that_fits(empty_h5: Path) -> None:
    class Fails:
        layers = ()

        def load_weights(self, path: Path) -> None:
            raise ValueError("first line " + "x" * 500 + "\nsecond line")

    with pytest.raises(ModelError, match="first line") as refused:
        load_weights(Fails(), V2, empty_h5)
    assert "second" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(empty_h5))


def test_a_failure_without_a_word_is_named_by_its_kind(empty_h5: Path) -> None:
    class Fails:
        layers = ()

        def load_weights(self, path: Path) -> None:
            raise KeyError

    with pytest.raises(ModelError, match=r"\(KeyError\)"):
        load_weights(Fails(), V2, empty_h5)


def test_the_progress_of_a_download_is_not_written_where_results_go(
    serve: Callable[..., list[tuple]], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(HDF5, lambda: sys.stdout.write("Downloading data\n"))
    find_weights(V1, "imagenet")
    assert capsys.readouterr() == ("", "Downloading data\n")
