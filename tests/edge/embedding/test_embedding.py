"""Features are what a bundle's own model computes inside, of pictures that its own preprocessing made."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.bundle.store import Bundle
from edge.embedding.source import BundleFeatures, Features, unit_length
from edge.embedding.tables import write_features
from edge.errors import StorageError
from edge.importing.graph import last_layer
from edge.inference.runtime import load_runtime
from edge.preprocess import Preprocessor


@pytest.fixture
def parrot_bgr(shared: Path) -> Features:
    return cv2.imread(str(shared / "models" / "parrot.jpg"))


def test_they_are_the_tensor_that_the_models_last_layer_reads(sealed: Bundle, parrot_bgr: Features) -> None:
    runtime = load_runtime()
    plain = runtime.interpreter(
        model_content=sealed.model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=runtime.resolver_types.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    plain.allocate_tensors()
    tensor = Preprocessor(sealed.manifest.preprocessing, sealed.manifest.input).tensor(parrot_bgr)
    plain.set_tensor(plain.get_input_details()[0]["index"], tensor)
    plain.invoke()
    place = last_layer(sealed.model)
    scale, zero_point = next(entry for entry in plain.get_tensor_details() if entry["index"] == place)["quantization"]
    inside = (plain.get_tensor(place).astype(np.float64) - zero_point) * scale
    source = BundleFeatures(sealed)
    found = source.features(Preprocessor(source.spec, source.tensor).pixels(parrot_bgr)[None])[0]
    assert found.shape == (source.channels,)
    # Kernels of different libraries round each layer's sums differently: eight steps apart after 28 layers.
    expected = inside.reshape(-1, source.channels).mean(axis=0)
    assert np.median(np.abs(found - expected)) <= 2.01 * scale
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_a_picture_has_the_same_features_alone_and_among_others(sealed: Bundle, parrot_bgr: Features) -> None:
    source = BundleFeatures(sealed)
    preprocessor = Preprocessor(source.spec, source.tensor)
    pictures = np.stack([preprocessor.pixels(parrot_bgr[:, ::step]) for step in (1, -1, 1)])
    together = source.features(pictures)
    assert together.dtype == np.float32
    assert np.array_equal(together[0], together[2])
    assert not np.array_equal(together[0], together[1])
    assert np.array_equal(together[1], source.features(pictures[1:2])[0])
    source.close()


@given(arrays.arrays(np.float32, (5, 7), elements=st.floats(-1e3, 1e3, width=32)))
def test_rows_get_length_1_unless_they_are_zero(features: Features) -> None:
    lengths = np.linalg.norm(unit_length(features).astype(np.float64), axis=1)
    tiny = np.linalg.norm(features.astype(np.float64), axis=1) < 1e-15
    assert np.all(tiny | (np.abs(lengths - 1) < 1e-4))


def test_the_command_writes_npy_with_names_beside_and_parquet(
    sealed: Bundle, shared: Path, tmp_path: Path, run_fieldfare: Callable[..., object]
) -> None:
    import csv

    parquet = pytest.importorskip("pyarrow.parquet")
    picture = shared / "models" / "parrot.jpg"
    for name in ("a.npy", "a.parquet"):
        done = run_fieldfare("embed", "--bundle", sealed.path, picture, picture, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    features = np.load(tmp_path / "a.npy")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [str(picture)] * 2
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["file"].to_pylist() == [str(picture)] * 2
    assert np.array_equal(np.array(table["features"].to_pylist(), np.float32), features)


def test_names_that_are_not_utf8_are_in_both_tables(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    name, features = os.fsdecode(b"caf\xe9\n.jpg"), np.zeros((1, 3), np.float32)
    write_features(tmp_path / "a.npy", [name], features)
    assert b"caf\xe9\n.jpg" in (tmp_path / "a.csv").read_bytes()
    write_features(tmp_path / "a.parquet", [name], features)
    assert parquet.read_table(tmp_path / "a.parquet")["file"].to_pylist() == ["caf\N{REPLACEMENT CHARACTER}\n.jpg"]


def test_a_full_disk_leaves_features_and_names_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_features(tmp_path / "a.npy", ["old.jpg"], np.zeros((1, 3), np.float32))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    synced = os.fsync
    for calls in (0, 1):  # the names' own, or that of the features
        for overwrite, name in ((True, "a.npy"), (False, "b.npy")):
            spared = iter([synced] * calls)
            monkeypatch.setattr("edge.embedding.tables.os.fsync", lambda handle, left=spared: next(left, full)(handle))
            with pytest.raises(StorageError):
                write_features(tmp_path / name, ["1.jpg", "2.jpg"], np.ones((2, 3), np.float32), overwrite=overwrite)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--json"], 2, "give one of --bundle and --weights"),
        (["--bundle", "{bundle}"], 2, "give one of --out FILE and --json"),
        (["--bundle", "{bundle}", "--out", "{here}/x.txt"], 2, "must end in .npy or .parquet"),
        (["--bundle", "{bundle}", "--out", "{here}/there.npy"], 73, "there.npy exists"),
        (["--bundle", "{bundle}", "--out", "{here}/named.npy"], 73, "named.csv exists"),
        (["--bundle", "/nowhere", "--json"], 66, "no bundle there"),
    ],
)
def test_mistakes_are_found_before_any_work(
    sealed: Bundle, tmp_path: Path, run_fieldfare: Callable[..., object], words: list[str], status: int, message: str
) -> None:
    for name in ("there.npy", "named.csv"):
        (tmp_path / name).touch()
    done = run_fieldfare("embed", tmp_path, *(word.format(bundle=sealed.path, here=tmp_path) for word in words))
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named.csv", "there.npy"]


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_go_on(
    sealed: Bundle, shared: Path, tmp_path: Path, run_fieldfare: Callable[..., object]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.jpg").symlink_to(shared / "models" / "parrot.jpg")
    done = run_fieldfare("embed", "--bundle", sealed.path, tmp_path, "--json")
    assert done.returncode == 65
    assert "a.jpg" in done.stderr
    assert len(done.stdout.splitlines()) == 1
