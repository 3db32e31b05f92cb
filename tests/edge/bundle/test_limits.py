"""A bundle is refused by its sizes before anything is allocated for them, and in one line, whatever its place holds."""

import io
import json
import os
import random
import socket
import stat
import struct
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import bundle_of, sound_model

from edge.bundle import files as reading
from edge.bundle import manifest as manifests
from edge.bundle.labels import parse_labels
from edge.bundle.store import Bundle, open_bundle, pack_bytes
from edge.errors import BundleError, MissingInputError
from tools.mutants import mutate_pack, reseal, seal_pack, write_mutant

MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A sound bundle of a few kilobytes; tests must not change it."""
    return bundle_of(sound_model(), tmp_path_factory.mktemp("tiny") / "colours")


def refusal(path: Path) -> str:
    """Why a bundle is refused: one printable line that names it once, found in little time and, beside what its files
    take, in 8 MB."""
    sizes = [file.lstat().st_size for file in path.iterdir()] if path.is_dir() else [path.stat().st_size]
    began_s = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(BundleError) as caught:
            open_bundle(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.isprintable()
    assert message.count(str(path)) == 1
    assert len(message) < 600 + len(str(path))
    assert time.monotonic() - began_s < 5.0
    assert peak_bytes < sum(sizes) + (8 << 20)
    return message


def written(files: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def changed(tiny: Bundle, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write the bundle with another manifest, its hash right."""
    record = json.loads(tiny.contents["manifest.json"])
    change(record)
    return written(reseal(tiny.contents, json.dumps(record).encode()), folder)


class TestPlaces:
    def test_a_pipe_does_not_hold_us_up(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert "neither a folder nor a plain file" in refusal(tmp_path / "pipe")

    def test_nor_does_a_pipe_that_takes_a_file_s_place(self, tiny: Bundle, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(BundleError, match="plain file"):
            reading._read_file(tmp_path / "pipe", 100)

    @pytest.mark.parametrize("place", ["/dev/zero", "/dev/null", "/dev/full"])
    def test_a_device_is_not_read(self, place: str) -> None:
        assert "neither a folder nor a plain file" in refusal(Path(place))

    def test_a_socket_is_none(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(tmp_path / "socket"))
            assert "neither a folder nor a plain file" in refusal(tmp_path / "socket")

    def test_a_path_with_a_zero_byte_is_no_place(self) -> None:
        with pytest.raises(MissingInputError, match="no bundle there"):
            open_bundle("birds\0")

    def test_a_folder_of_many_files_is_not_listed_to_its_end(self, tmp_path: Path) -> None:
        for number in range(200):
            (tmp_path / f"{number}").touch()
        assert "more than 64 files" in refusal(tmp_path)

    def test_a_file_too_large_is_not_read(self, tiny: Bundle, tmp_path: Path) -> None:
        folder = written(tiny.contents, tmp_path / "large")
        with (folder / "model.tflite").open("wb") as file:
            file.truncate(reading.MAX_BUNDLE_BYTES + 1)  # sparse
        assert "more than 64 files or 256 MiB" in refusal(folder)
        (folder / "model.tflite").rename(tmp_path / "large.fieldfare")
        assert "more than 64 files or 256 MiB" in refusal(tmp_path / "large.fieldfare")

    def test_names_that_are_no_text_are_shown_as_such(self, tiny: Bundle, tmp_path: Path) -> None:
        folder = written(tiny.contents, tmp_path / "named")
        Path(os.fsdecode(os.fsencode(folder) + b"/\x1b[2J\xff\n")).write_bytes(b"")
        assert "extra file '\\x1b[2J\\udcff\\n'" in refusal(folder)


class TestManifests:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda m: m["golden"]["cases"][0]["output"].__setitem__(0, 2**63), "<= 255"),
            (lambda m: m["golden"]["cases"][0]["output"].__setitem__(0, -129), ">= -128"),
            (lambda m: m["files"][0].update(size=2**63), "9223372036854775807"),
            (lambda m: m.update(schema=2**64), "9223372036854775807"),
            (lambda m: m.update(name="a" * 1001), "length <= 1000"),
            (lambda m: m["origin"].update(notes=["a"] * 1001), "length <= 1000"),
            (lambda m: m["files"].extend(m["files"] * 1000), "length <= 64"),
            (lambda m: m["golden"]["cases"].extend(m["golden"]["cases"] * 1000), "length <= 64"),
            (lambda m: m["golden"].update(cases=m["golden"]["cases"] * 20), "megapixels, at most 100"),
            (lambda m: m.update({"\x1b[2J" + "z" * 100_000: 1}), "unknown field `?[2Jzzz"),
            (lambda m: m.update(name="\ud800"), "manifest.json"),
            (lambda m: m["calibration"].update(temperature=float("inf")) if "calibration" in m else m.clear(), ""),
        ],
    )
    def test_a_bound_is_named(
        self, tiny: Bundle, tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
    ) -> None:
        def large(record: dict[str, Any]) -> None:
            record["input"].update(width=2048, height=2048)
            change(record)

        assert words in refusal(changed(tiny, tmp_path / "b", large if "megapixels" in words else change))

    @pytest.mark.parametrize("number", ["1e999", "NaN", "Infinity", "-1e999", "9" * 5000])
    def test_no_number_that_is_none(self, tiny: Bundle, tmp_path: Path, number: str) -> None:
        text = tiny.contents["manifest.json"].decode().replace('"scale": 1.0', f'"scale": {number}', 1)
        refusal(written(reseal(tiny.contents, text.encode()), tmp_path / "b"))

    @pytest.mark.parametrize("depth", [1500, 1_000_000])
    def test_nesting_is_refused_however_deep(self, tiny: Bundle, tmp_path: Path, depth: int) -> None:
        text = tiny.contents["manifest.json"].decode().replace("{", '{"a": ' + "[" * depth + "]" * depth + ",", 1)
        refusal(written(reseal(tiny.contents, text.encode()), tmp_path / "b"))

    def test_its_size_is_looked_at_first(self, tiny: Bundle, tmp_path: Path) -> None:
        text = b" " * manifests.MAX_BYTES + tiny.contents["manifest.json"]
        assert "at most 16777216: not a bundle" in refusal(written(reseal(tiny.contents, text), tmp_path / "b"))

    def test_a_seed_of_any_length_is_shown(self, tiny: Bundle) -> None:
        record = json.loads(tiny.contents["manifest.json"])
        record["architecture"] = {"family": "x", "alpha": 1.0, "weights": "none", "seed": 2**200}
        decoded = manifests.decode(json.dumps(record).encode())
        assert decoded.architecture is not None
        assert decoded.architecture.seed == 2**200


class TestLabels:
    def test_one_is_as_long_as_a_message_allows(self) -> None:
        assert parse_labels(b"a" * 1000) == ("a" * 1000,)
        for long in ("a" * 1001, "é" * 501, "a" * 100_000):
            with pytest.raises(BundleError, match=r"line 2 has \d+ bytes, at most 1000: shorten it"):
                parse_labels(f"owl\n{long}\n".encode())

    def test_a_file_too_large_is_not_parsed(self) -> None:
        with pytest.raises(BundleError, match="labels have 16777217 bytes, at most 16777216"):
            parse_labels(b"\n" * (16 * 1024 * 1024 + 1))


class TestPacks:
    def refused(self, data: bytes, folder: Path) -> str:
        (folder / "mutant.fieldfare").write_bytes(data)
        return refusal(folder / "mutant.fieldfare")

    def end(self, count: int, size: int, start: int) -> bytes:
        return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, size, start, 81)

    def test_a_directory_is_refused_by_its_promised_size(self, tmp_path: Path) -> None:
        entry = b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, 20, 0, 0, 0, 33, *[0] * 10)
        directory = entry * 200_000
        words = self.refused(seal_pack(directory + self.end(200_000, len(directory), 0)), tmp_path)
        assert "at most 64 in 32768: not a bundle" in words

    def test_a_hidden_second_directory_is_not_read(self, tiny: Bundle, tmp_path: Path) -> None:
        body = pack_bytes(tiny)[:-81]
        size, start = struct.unpack_from("<2L", body, len(body) - 10)
        wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, size, start)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body) - 22, 1)
        data = seal_pack(body[:-22] + wide + locator + body[-22:])
        assert "directory is not where it must be" in self.refused(data, tmp_path)

    def test_overlapping_files_are_no_bomb(self, tmp_path: Path) -> None:
        header = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 1 << 20, 1 << 20, 1, 0) + b"a"
        names = [f"{number:02}" for number in range(60)]
        body = header + bytes(1 << 20)
        directory = b"".join(
            struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 1 << 20, 1 << 20, 2, *[0] * 6)
            + name.encode()
            for name in names
        )
        data = seal_pack(body + directory + self.end(len(names), len(directory), len(body)))
        assert "overlap" in self.refused(data, tmp_path)

    @pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    def test_a_bomb_is_not_unpacked(self, tmp_path: Path, kind: int) -> None:
        with zipfile.ZipFile(tmp_path / "bomb", "w", kind) as archive:
            archive.writestr("manifest.json", bytes(30_000_000))
            archive.comment = reading.PACK_MARK + b"0" * 64
        assert "compressed" in self.refused(seal_pack((tmp_path / "bomb").read_bytes()[:-81]), tmp_path)

    def packed(self, *entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
        """A packed bundle of these entries, with the right hash."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for entry, data in entries:
                archive.writestr(entry, data)
            archive.comment = reading.PACK_MARK + b"0" * 64
        return seal_pack(buffer.getvalue()[:-81])

    def with_entry(self, tiny: Bundle, change: Callable[[bytearray, int], None]) -> bytes:
        """The tiny bundle, packed, with the directory's first entry changed: called with all bytes and its place."""
        body = bytearray(pack_bytes(tiny)[:-81])
        change(body, body.index(b"PK\x01\x02"))
        return seal_pack(bytes(body))

    def test_no_files_are_no_bundle(self, tmp_path: Path) -> None:
        assert "holds no files" in self.refused(self.packed(), tmp_path)

    @pytest.mark.parametrize("flags", [0x1, 0x8, 0x20, 0x40, 0x2000, 0x801])
    def test_encrypted_and_other_unusual_entries_are_named_in_words(
        self, tiny: Bundle, tmp_path: Path, flags: int
    ) -> None:
        data = self.with_entry(tiny, lambda body, at: struct.pack_into("<H", body, at + 8, flags))
        words = self.refused(data, tmp_path)
        assert "encrypted, or with fields that no bundle has: pack it with" in words
        assert "<" not in words

    def test_names_that_differ_within_are_refused_in_plain_words(self, tiny: Bundle, tmp_path: Path) -> None:
        body = bytearray(pack_bytes(tiny)[:-81])
        body[30] ^= 1  # the first letter of the first name, as it stands before the file itself
        words = self.refused(seal_pack(bytes(body)), tmp_path)
        assert "its ZIP is malformed, or not as Fieldfare packs: pack it with `fieldfare bundle pack`" in words

    @pytest.mark.parametrize("method", [1, 6, 8, 9, 12, 14, 93, 95, 98, 99, 0xFFFF])
    def test_other_compressions_are_refused(self, tiny: Bundle, tmp_path: Path, method: int) -> None:
        data = self.with_entry(tiny, lambda body, at: struct.pack_into("<H", body, at + 10, method))
        assert "compressed" in self.refused(data, tmp_path)

    def test_sizes_of_64_bits_are_refused(self, tmp_path: Path) -> None:
        entry = zipfile.ZipInfo("manifest.json")
        entry.extra = struct.pack("<2H2Q", 1, 16, 2**62, 2**62)
        assert "with fields that no bundle has" in self.refused(self.packed((entry, b"x")), tmp_path)

    @pytest.mark.parametrize("disk", [1, 0xFFFF])
    def test_entries_of_other_disks_are_not_read(self, tiny: Bundle, tmp_path: Path, disk: int) -> None:
        body = bytearray(pack_bytes(tiny)[:-81])
        struct.pack_into("<H", body, len(body) - 18, disk)
        assert "directory is not where it must be" in self.refused(seal_pack(bytes(body)), tmp_path)

    @pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFSOCK])
    def test_links_pipes_and_folders_are_no_files(self, tmp_path: Path, mode: int) -> None:
        entry = zipfile.ZipInfo("manifest.json")
        entry.external_attr = (mode | 0o777) << 16
        assert "holds more than plain files" in self.refused(self.packed((entry, b"/etc/passwd")), tmp_path)

    @pytest.mark.parametrize(
        "name", ["labels/", "/", "/etc/passwd", "../labels.txt", "a\\b", "C:labels.txt", "a\x1b[2Jb", "", ".", "a/../b"]
    )
    def test_names_become_no_paths(self, tiny: Bundle, tmp_path: Path, name: str) -> None:
        entries = [(zipfile.ZipInfo(own), data) for own, data in tiny.contents.items()]
        self.refused(self.packed(*entries, (zipfile.ZipInfo(name or "x"), b"")), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mutant.fieldfare"]

    def test_an_entry_without_a_name_is_refused(self, tiny: Bundle, tmp_path: Path) -> None:
        """zipfile cuts a name at its first NUL."""
        data = self.with_entry(tiny, lambda body, at: struct.pack_into("<B", body, at + 46, 0))
        assert "holds more than plain files" in self.refused(data, tmp_path)

    def test_a_name_that_comes_twice_is_refused(self, tiny: Bundle, tmp_path: Path) -> None:
        entries = [(zipfile.ZipInfo(name), data) for name, data in tiny.contents.items()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile's own, about the second name
            data = self.packed(*entries, (zipfile.ZipInfo("labels.txt"), b"other"))
        assert "names in 9 entries, must be 9 in 9" in self.refused(data, tmp_path)

    def test_a_comment_with_another_end_in_it_is_not_followed(self, tiny: Bundle, tmp_path: Path) -> None:
        pack = pack_bytes(tiny)
        ours = reading.PACK_MARK + b"PK\x05\x06" + bytes(60)
        assert "damaged (SHA-256 differs)" in self.refused(pack[:-81] + ours, tmp_path)

    @MANY
    @given(seed=st.integers(0, 2**32))
    def test_no_structure_gets_through(self, tiny: Bundle, tmp_path: Path, seed: int) -> None:
        path = tmp_path / "mutant.fieldfare"
        path.write_bytes(mutate_pack(pack_bytes(tiny), random.Random(seed)))
        try:
            assert open_bundle(path).contents == tiny.contents  # a date or an attribute
        except BundleError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 600 + len(str(path))

    @MANY
    @given(body=st.binary(max_size=400))
    def test_no_bytes_with_the_right_hash_get_through(self, tmp_path: Path, body: bytes) -> None:
        self.refused(seal_pack(body), tmp_path)


@MANY
@given(seed=st.integers(0, 2**32))
def test_no_mutant_with_the_right_hashes_raises_anything_else(
    tiny: Bundle, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    place = tmp_path_factory.mktemp("mutant")
    path = write_mutant(dict(tiny.contents), pack_bytes(tiny), random.Random(seed), place)
    try:
        open_bundle(path)
    except (BundleError, MissingInputError) as error:
        assert str(error).isprintable()
        assert len(str(error)) < 600 + len(str(path))
