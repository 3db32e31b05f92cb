"""Photos are decoded in child processes, which may crash, hang or run out of memory without harm to the rest."""

import contextlib
import os
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import UnavailableError
from edge.images import read_image
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.dataset.decoding import Decoders
from trainer.dataset.rows import Rows

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Decode = Callable[..., tuple[dict[int, str], Rows]]

# A decoder that crashes, hangs or raises an error, as the name of the photo demands.
UNRULY = """
import os, signal, sys, time
import msgspec
from trainer.dataset import decode_child

def read_image(path, plain=decode_child.read_image):
    if "crash" in path.name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "hang" in path.name:
        time.sleep(600)
    if "odd" in path.name:
        raise RuntimeError("something else")
    return plain(path)

decode_child.read_image = read_image
decode_child.work(msgspec.json.decode(sys.argv[1].encode(), type=decode_child.Setup))
"""


@pytest.fixture
def unruly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that decodes as UNRULY does."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "an_unruly_decoder.py").write_text(UNRULY)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "an_unruly_decoder"


@pytest.fixture
def photos(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> list[Path]:
    """Three good photos."""
    rng = np.random.default_rng(0)
    return [save_photo(tmp_path / f"good{number}.jpg", paint(rng)) for number in range(3)]


@pytest.fixture
def decode(tmp_path: Path, spec: Preprocessing, tensor: InputTensor) -> Iterator[Decode]:
    """Decode paths. Returns the problems by index, and the rows."""
    made = []

    def run(paths: Sequence[Path], *, workers: int = 1, **options: Any) -> tuple[dict[int, str], Rows]:
        rows = Rows.create(tmp_path, len(paths), (tensor.height, tensor.width, 3), np.uint8, "a test")
        made.append(rows)
        with Decoders(spec, tensor, rows, workers=workers, **options) as decoders:
            answers = list(decoders.decode(paths))
        assert sorted(answer.index for answer in answers) == list(range(len(paths)))
        return {answer.index: answer.problem for answer in answers if answer.problem is not None}, rows

    yield run
    for rows in made:
        rows.close()


def children() -> list[int]:
    """Return the ids of this process's living children."""
    tasks = Path("/proc/self/task").iterdir()
    found: list[int] = []
    for task in tasks:
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += map(int, (task / "children").read_text().split())
    return found


def bomb(path: Path, side: int) -> Path:
    """Write a PNG of `side` x `side` black pixels, 1 bit each: a few kB that become a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(((side + 7) // 8 + 1) * side), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def test_rows_are_what_the_device_makes_of_each_photo(
    photos: list[Path], decode: Decode, spec: Preprocessing, tensor: InputTensor
) -> None:
    problems, rows = decode(photos * 40, workers=3)
    assert problems == {}
    for number, path in enumerate(photos):
        expected = Preprocessor(spec, tensor).pixels(read_image(path))
        assert all(np.array_equal(row, expected) for row in rows[number::3])


def test_a_decompression_bomb_is_refused_by_its_size_unread(tmp_path: Path, photos: list[Path], decode: Decode) -> None:
    path = bomb(tmp_path / "bomb.png", 30_000)
    assert path.stat().st_size < 200_000
    problems, _ = decode([path, *photos])
    assert list(problems) == [0]
    assert "30000x30000 is 900 megapixels, at most 100" in problems[0]


def test_a_photo_that_is_cut_short_is_named_and_the_others_are_decoded(
    tmp_path: Path, photos: list[Path], decode: Decode
) -> None:
    short = tmp_path / "short.jpg"
    short.write_bytes(photos[0].read_bytes()[:800])
    problems, _ = decode([photos[0], short, *photos[1:]])
    assert list(problems) == [1]
    assert "short.jpg: damaged or cut short" in problems[1]


def test_a_photo_that_needs_more_memory_than_a_child_has(tmp_path: Path, photos: list[Path], decode: Decode) -> None:
    path = bomb(tmp_path / "large.png", 9_900)
    problems, _ = decode([path, *photos], memory_bytes=700 << 20)
    assert list(problems) == [0]
    assert "memory" in problems[0]


def test_a_hundred_megapixels_fit_into_a_childs_memory(tmp_path: Path, decode: Decode) -> None:
    assert decode([bomb(tmp_path / "large.png", 9_900)])[0] == {}


def test_a_photo_that_crashes_the_decoder_is_named_and_the_others_are_decoded(
    tmp_path: Path, photos: list[Path], decode: Decode, spec: Preprocessing, tensor: InputTensor, unruly: str
) -> None:
    paths = [photos[0], tmp_path / "crash.jpg", photos[1], tmp_path / "crash too.jpg", photos[2]]
    problems, rows = decode(paths, module=unruly)
    assert sorted(problems) == [1, 3]
    assert "crash.jpg: crashed the decoder, which died of SIGSEGV: remove or copy it again" in problems[1]
    assert np.array_equal(rows[4], Preprocessor(spec, tensor).pixels(read_image(photos[2])))


def test_a_photo_that_hangs_is_named_after_the_time_limit(
    tmp_path: Path, photos: list[Path], decode: Decode, unruly: str
) -> None:
    problems, _ = decode([photos[0], tmp_path / "hang.jpg", *photos[1:]], module=unruly, limit_s=2.5)
    assert list(problems) == [1]
    assert "hang.jpg: took over 2.5 s to decode: remove or convert it" in problems[1]


def test_a_photo_that_really_takes_long_meets_the_limit(tmp_path: Path, photos: list[Path], decode: Decode) -> None:
    large = bomb(tmp_path / "large.png", 9_900)
    problems, _ = decode([large, *photos], limit_s=0.01)
    assert "took over 0.01 s" in problems[0]


def test_any_other_error_of_a_decoder_is_an_answer_about_its_photo(
    tmp_path: Path, photos: list[Path], decode: Decode, unruly: str
) -> None:
    problems, _ = decode([tmp_path / "odd.jpg", *photos], module=unruly)
    assert list(problems) == [0]
    assert "damaged (RuntimeError: something else)" in problems[0]


def test_a_child_that_somebody_kills_is_replaced_and_no_photo_is_lost_or_blamed(
    photos: list[Path], tmp_path: Path, spec: Preprocessing, tensor: InputTensor
) -> None:
    """The kernel does so when memory runs out, and the photo need not be the cause."""
    paths = photos * 60
    with (
        Rows.create(tmp_path, len(paths), (32, 32, 3), np.uint8, "a test") as rows,
        Decoders(spec, tensor, rows, workers=2) as decoders,
    ):
        answers = []
        for answer in decoders.decode(paths):
            answers.append(answer)
            if len(answers) in (10, 90):
                os.kill(children()[0], signal.SIGKILL)
    assert sorted(answer.index for answer in answers) == list(range(len(paths)))
    assert [answer.problem for answer in answers if answer.problem] == []


def test_children_are_gone_whatever_ends_the_work(
    photos: list[Path], tmp_path: Path, spec: Preprocessing, tensor: InputTensor
) -> None:
    """Ctrl-C, or an error in the code that takes the answers."""
    before = set(children())
    with (
        Rows.create(tmp_path, 300, (32, 32, 3), np.uint8, "a test") as rows,
        pytest.raises(KeyboardInterrupt),
        Decoders(spec, tensor, rows, workers=2) as decoders,
    ):
        for _ in decoders.decode(photos * 100):
            assert len(set(children()) - before) == 2
            raise KeyboardInterrupt
    assert not set(children()) - before


def test_children_that_cannot_start_are_one_clear_error(photos: list[Path], decode: Decode) -> None:
    with pytest.raises(UnavailableError, match=r"the decoding process did not start: .*No module named nowhere"):
        decode(photos, module="nowhere")


def test_names_that_are_no_text_and_folders_that_look_like_photos(
    tmp_path: Path, photos: list[Path], decode: Decode
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfcn\n.jpg"))
    odd.write_bytes(photos[0].read_bytes())
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    problems, _ = decode([odd, tmp_path / "folder.jpg", tmp_path / "pipe.jpg", tmp_path / "gone.jpg"])
    assert sorted(problems) == [1, 2, 3]
    assert "not a plain file" in problems[2]


def test_records_say_what_the_file_is(tmp_path: Path, spec: Preprocessing, tensor: InputTensor, paint: Paint) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Browning", "BTC-7"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 06:30:00"
    path = tmp_path / "lying.jpg"
    Image.fromarray(paint(np.random.default_rng(0), 96, 64)).save(path, exif=exif)
    with (
        Rows.create(tmp_path, 1, (32, 32, 3), np.uint8, "a test") as rows,
        Decoders(spec, tensor, rows, workers=1) as decoders,
    ):
        record = next(decoders.decode([path])).record
    assert (record.width, record.height, record.orientation) == (64, 96, 6)
    assert (record.format, record.mode, record.frames, record.camera) == ("JPEG", "RGB", 1, "Browning BTC-7")
    assert time.gmtime(record.captured_s)[:6] == (2024, 5, 1, 6, 30, 0)
    assert 60 < record.brightness < 190
    assert record.contrast > 5
