"""A weights file of a stranger costs a child process and one line, whatever is in it."""

import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.networks import weights_trial
from trainer.networks.weights_trial import try_weights

pytestmark = pytest.mark.process

EXPECTED = [(3, 3, 3, 8), (8,)]
GIB = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as Keras 2 writes it, of one layer."""
    return write(tmp_path / "mine_no_top.h5")


def write(path: Path) -> Path:
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv"]
        layer = file.create_group("conv")
        layer.attrs["weight_names"] = [b"conv/kernel:0", b"conv/bias:0"]
        for name, shape in zip(("conv/kernel:0", "conv/bias:0"), EXPECTED, strict=True):
            layer[name] = rng.random(shape, np.float32)
    return path


def bias(change: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a change of the group in which the bias was."""

    def make(file: Any) -> None:
        del file["conv/conv/bias:0"]
        change(file["conv/conv"])

    return make


def chunk_of_a_gigabyte(group: Any) -> None:
    group.create_dataset("bias:0", (8,), "f4", maxshape=(None,), chunks=(1 << 28,), compression="gzip")


def virtual(group: Any) -> None:
    layout = h5py.VirtualLayout((8,), "f4")
    layout[:] = h5py.VirtualSource("/dev/zero", "x", (8,))
    group.create_virtual_dataset("bias:0", layout)


def test_a_whole_file_is_read(path: Path) -> None:
    assert try_weights(path, EXPECTED) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (bias(lambda group: group.create_dataset("bias:0", (8,), f"S{GIB}")), "conv/bias:0 is no array of numbers"),
        (
            bias(lambda group: group.create_dataset("bias:0", (8,), "(1000000,)f8")),
            "conv/bias:0 is no array of numbers",
        ),
        (bias(chunk_of_a_gigabyte), "conv/bias:0 is stored in pieces of over 64 MiB"),
        (bias(virtual), "conv/bias:0 is not in the file itself"),
        (
            bias(lambda group: group.create_dataset("bias:0", (8,), "f4", external=[("/dev/zero", 0, 32)])),
            "conv/bias:0 is not in the file itself",
        ),
        (bias(lambda group: group.update({"bias:0": h5py.ExternalLink("other.h5", "/x")})), "not in the file itself"),
        (bias(lambda group: group.update({"bias:0": h5py.SoftLink("/conv")})), "conv/bias:0 is not in the file itself"),
        (bias(lambda group: group.create_group("bias:0")), "AttributeError|no array of numbers|has no attribute"),
        (bias(lambda group: group.create_dataset("bias:0", (9,), "f4")), r"has the shape \(9,\)"),
        (bias(lambda group: None), "not in the file itself|is not there"),
    ],
)
@pytest.mark.parametrize("name", ["mine_no_top.h5", "mine.weights.h5"])
def test_what_is_no_plain_array_in_the_file_is_refused_unread(
    tmp_path: Path, change: Callable[[Any], None], reason: str, name: str
) -> None:
    path = write(tmp_path / name)
    with h5py.File(path, "r+") as file:
        change(file)
    os.mkfifo(tmp_path / "other.h5")  # an external link leads here: opening it would wait for ever
    found = try_weights(path, EXPECTED)
    assert re.search(reason, found) or name == "mine.weights.h5", found
    assert "\n" not in found


def test_groups_that_hold_each_other_end(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.weights.h5")
    with h5py.File(path, "r+") as file:
        file["conv/again"] = file["conv"]
        file["conv/root"] = file["/"]
    assert try_weights(path, EXPECTED) == ""


def test_a_small_file_that_unpacks_to_gigabytes_costs_the_child_and_one_line(path: Path) -> None:
    """4,000 references to one name of 2 MB: the file is 3 MB, reading it takes 8 GB."""
    length = 2 << 20
    with h5py.File(path, "r+") as file:
        del file.attrs["layer_names"]
        file.attrs.create("layer_names", ["x" * length, *["y"] * 4000], dtype=h5py.string_dtype())
    content = path.read_bytes()
    place = content.index(struct.pack("<I", length))
    while content[place + 16 : place + 20] != struct.pack("<I", 1):
        place = content.index(struct.pack("<I", length), place + 1)
    long = content[place : place + 16]
    path.write_bytes(content[:place] + long * 4001 + content[place + 16 * 4001 :])
    assert path.stat().st_size < 4 << 20
    found = try_weights(path, EXPECTED)
    assert "memory" in found, found
    assert "\n" not in found


def test_a_child_that_is_late_or_dies_is_told_as_such(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_trial, "TIMEOUT_S", 0.01)
    assert try_weights(path, EXPECTED) == "not read within 0.01 s"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["mutant_no_top.h5", "mutant.weights.h5"]))
    path = write(tmp_path_factory.mktemp("mutant") / name)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(content) - 8))
        piece = data.draw(
            st.sampled_from([b"\xff", b"\xff" * 8, b"\0", bytes(8), b"\x7f", (1 << 40).to_bytes(8, "little")])
        )
        content[place : place + len(piece)] = piece
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 500]))])
    began = time.monotonic()
    reason = try_weights(path, EXPECTED)
    assert time.monotonic() - began < 60
    assert "\n" not in reason
    if not reason:
        with h5py.File(path) as file:  # what the child could read, this process can
            if name == "mutant_no_top.h5":  # of which Keras reads no more than it lists
                assert all(array[()].size for _, array in weights_trial._stored(file))
            else:
                file.visititems(lambda _, entry: entry[()] if isinstance(entry, h5py.Dataset) else None)


@pytest.mark.parametrize("name", ["mine_no_top.h5", "mine.weights.h5"])
def test_a_file_that_is_cut_short_or_another_is_named_in_plain_words(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / name).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:8] + b"\xff" * (len(whole) - 8), b"no weights"):
        (tmp_path / name).write_bytes(content)
        assert try_weights(tmp_path / name, EXPECTED) == "damaged, cut short, or no HDF5 file"
