"""What a .tflite's metadata and its packed files hold; damaged or hostile ones cost one line."""

import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from handmade_models import archive, classifier, metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.importing import packed_labels as packing
from edge.importing.metadata import LabelFile, read_metadata
from edge.importing.normalization import of_metadata
from edge.importing.packed_labels import packed_labels

NAMES = b"red\ngreen\nblue\n"
FULL = classifier(
    metadata=metadata(label_files=[("labels.txt", ""), ("labels_de.txt", "de")]),
    packed={"labels.txt": NAMES, "labels_de.txt": b"rot\n", "vocabulary.txt": b"a\n"},
)


def test_metadata_are_read() -> None:
    found = read_metadata(FULL)
    assert (found.mean, found.std, found.channel_order) == ((127.5,), (127.5,), "rgb")
    assert found.label_files == (LabelFile("labels.txt", ""), LabelFile("labels_de.txt", "de"))
    bare = read_metadata(classifier())
    assert (bare.mean, bare.channel_order, bare.label_files) == (None, None, ())
    grey = read_metadata(classifier(metadata=metadata(mean=None, colours=2, label_files=[("d.txt", "")], file_type=1)))
    assert (grey.mean, grey.channel_order, grey.label_files) == (None, None, ())


def test_real_metadata_are_read(shared: Path) -> None:
    model = (shared / "models" / "mobilenet_v2_1.0_224_inat_bird_quant.tflite").read_bytes()
    found = read_metadata(model)
    assert (found.mean, found.std, found.channel_order) == ((127.5,), (127.5,), "rgb")
    labels = packed_labels(model, found.label_files)
    assert labels is not None
    assert labels[1] == (shared / "models" / "inat_bird_labels.txt").read_bytes()


def packed(files: dict[str, bytes], *label_files: tuple[str, str]) -> tuple[str, bytes] | None:
    model = classifier(packed=files)
    return packed_labels(model, [LabelFile(*file) for file in label_files])


def test_the_metadata_choose_the_packed_labels() -> None:
    files = {"a.txt": b"a", "b.txt": b"b", "labels": b"c"}
    assert packed(files, ("b.txt", "")) == ("b.txt", b"b")
    assert packed(files, ("labels", "")) == ("labels", b"c")
    assert packed(files, ("a.txt", "de"), ("b.txt", "")) == ("b.txt", b"b")
    assert packed(files, ("a.txt", "de"), ("b.txt", "en-US")) == ("b.txt", b"b")
    assert packed(files, ("a.txt", "de")) == ("a.txt", b"a")
    assert packed({"a.txt": b"a", "readme.md": b"b"}) == ("a.txt", b"a")
    assert packed({"readme.md": b"b"}) is None
    assert packed_labels(classifier(), []) is None


@pytest.mark.parametrize(
    ("files", "label_files", "message"),
    [
        ({"a.txt": b"a", "b.txt": b"b"}, [], "2 text files are packed into it, and its metadata does not show which"),
        ({"a.txt": b"a"}, [("labels.txt", "")], "'labels.txt' as labels, which is packed into it 0 times"),
        (
            {"a.txt": b"a", "b.txt": b"b"},
            [("a.txt", "de"), ("b.txt", "fr")],
            r"2 label files for the output \(de, fr\)",
        ),
        ({"a.txt": b"a", "b.txt": b"b"}, [("a.txt", ""), ("b.txt", "")], r"\(a.txt, b.txt\)"),
        ({f"{n}.md": b"" for n in range(1001)}, [], "more than 1000 files"),
        ({"a.txt": b"\n" * (16 * 1024 * 1024 + 1)}, [], "a.txt, packed into it, has 16777217 bytes, at most"),
    ],
    ids=["two", "absent", "locales", "own", "flood", "bomb"],
)
def test_what_is_not_clear_is_refused(
    files: dict[str, bytes], label_files: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(ModelError, match=f"{message}.*--labels"):
        packed(files, *label_files)


def test_damaged_archives_are_refused_if_the_metadata_name_a_file_in_them() -> None:
    with pytest.raises(ModelError, match=r"damaged \(File is not a zip file\).*--labels"):
        packed_labels(classifier(), [LabelFile("labels.txt", "")])
    data = bytearray(classifier(packed={"labels.txt": NAMES}))
    data[data.index(zlib.crc32(NAMES).to_bytes(4, "little"), data.index(b"PK\x01\x02"))] ^= 1
    with pytest.raises(ModelError, match=r"labels.txt, packed into it, is damaged \(Bad CRC-32"):
        packed_labels(bytes(data), [LabelFile("labels.txt", "")])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compressions_are_refused(method: int, tmp_path: Path) -> None:
    place = tmp_path / "made.zip"
    with zipfile.ZipFile(place, "w", method) as made:
        made.writestr("labels.txt", NAMES)
    with pytest.raises(ModelError, match="unusual compression"):
        packed_labels(classifier() + place.read_bytes(), [])


def test_a_directory_that_lies_about_a_size_costs_no_memory(tmp_path: Path) -> None:
    """300 MB of zeros behind an entry of 20 bytes: refused, or cut to 20, and never unpacked."""
    place = tmp_path / "made.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("labels.txt", bytes(300_000_000))
    data = bytearray(place.read_bytes())
    size = (300_000_000).to_bytes(4, "little")
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = data.index(mark) + offset
        assert data[start : start + 4] == size
        data[start : start + 4] = (20).to_bytes(4, "little")
    tracemalloc.start()
    with pytest.raises(ModelError, match="damaged"):
        packed_labels(classifier() + bytes(data), [])
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_names_cannot_forge_lines() -> None:
    name = "a\n\x1b[2Jb.txt"
    with pytest.raises(ModelError) as caught:
        packed({"a.txt": b""}, (name, ""))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("std", [0.0, float("nan"), float("inf"), -1.0])
def test_nonsense_of_a_file_is_named(std: float) -> None:
    found = read_metadata(classifier(metadata=metadata(std=(std,))))
    with pytest.raises(ModelError, match="the metadata's normalization: std"):
        of_metadata(found)


def test_a_vector_that_claims_the_whole_file_is_refused() -> None:
    """Each entry would become an object."""
    model = bytearray(FULL)
    root = struct.unpack_from("<I", model)[0]
    vtable = root - struct.unpack_from("<i", model, root)[0]
    field = root + struct.unpack_from("<H", model, vtable + 4 + 2 * 6)[0]  # Model.metadata
    vector = field + struct.unpack_from("<I", model, field)[0]
    struct.pack_into("<I", model, vector, 60_000)
    with pytest.raises(ModelError, match="a vector of 60000 entries, at most 50000"):
        read_metadata(bytes(model))


def read_all(model: bytes) -> None:
    try:
        found = read_metadata(model)
        of_metadata(found)
        packed_labels(model, found.label_files)
    except ModelError as error:
        assert str(error).isprintable()


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(FULL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_metadata_and_archives_cost_one_line(changes: list[tuple[int, int]]) -> None:
    model = bytearray(FULL)
    for place, value in changes:
        model[place] = value
    read_all(bytes(model))


@settings(max_examples=100)
@given(st.binary(max_size=300), st.text(max_size=20), st.text(max_size=5), st.binary(max_size=50))
def test_any_metadata_names_and_files_cost_one_line(raw: bytes, name: str, locale: str, content: bytes) -> None:
    files = {"labels.txt": content, "x": raw}
    texts = [(name.encode("utf-8", "replace").decode(), locale.encode("utf-8", "replace").decode())]
    read_all(classifier(metadata=b"\x10\0\0\0M001" + raw, packed=files))
    read_all(classifier(metadata=metadata(label_files=texts), packed=files))
    read_all(classifier() + archive(files)[:-10] + raw)


def test_the_bound_on_files_is_that_of_the_directory() -> None:
    assert packing._MAX_FILES == 1000
    assert packed_labels(classifier(packed={f"{n}.md": b"" for n in range(1000)}), []) is None


LOCALES = {"de-DE": "rot\ngr\u00fcn\nblau", "zh_Hant": "\u7d05\n\u7da0\n\u85cd"}
ENGLISH = "red\ngreen\nblue"


@pytest.mark.parametrize(
    "locale", ["en", "EN", "EN_us", "en-GB", "en_US.UTF-8", "en@latin", " en ", "eng", "Eng_us", ""]
)
def test_the_english_labels_are_taken_however_their_locale_is_written(locale: str) -> None:
    files = {**LOCALES, locale: ENGLISH}
    named = [LabelFile(f"{number}.txt", written) for number, written in enumerate(files)]
    packed = {f"{number}.txt": text.encode() for number, text in enumerate(files.values())}
    assert packed_labels(classifier(packed=packed), named) == (f"{len(files) - 1}.txt", ENGLISH.encode())


def test_plain_english_comes_before_that_of_a_country() -> None:
    named = [LabelFile("gb.txt", "en_GB"), LabelFile("en.txt", "EN"), LabelFile("us.txt", "en-US")]
    packed = {"gb.txt": b"a", "en.txt": b"b", "us.txt": b"c"}
    assert packed_labels(classifier(packed=packed), named) == ("en.txt", b"b")
    with pytest.raises(ModelError, match=r"names 2 label files for the output \(en_GB, en-US\)"):
        packed_labels(classifier(packed=packed), [named[0], named[2]])


@pytest.mark.parametrize("locale", ["de-DE", "zh_Hant", "enm", "english"])
def test_the_only_language_is_taken_and_of_several_others_none(locale: str) -> None:
    model = classifier(packed={"a.txt": b"a", "b.txt": b"b"})
    assert packed_labels(model, [LabelFile("a.txt", locale)]) == ("a.txt", b"a")
    with pytest.raises(ModelError, match="names 2 label files"):
        packed_labels(model, [LabelFile("a.txt", locale), LabelFile("b.txt", "fr")])
