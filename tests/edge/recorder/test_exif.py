"""What is written into a picture, read back by Pillow."""

import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.events.records import ClockQuality
from edge.recorder.exif import PictureNotes, exif, with_exif

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
DESCRIPTION, SOFTWARE, TIME, OFFSET, FRACTION, COMMENT = 0x010E, 0x0131, 0x9003, 0x9011, 0x9291, 0x9286


def notes(**changes: Any) -> PictureNotes:
    known: dict[str, Any] = {
        "label": "great tit",
        "score": 0.874,
        "kind": "best",
        "name": "garden-0123abcd-5000",
        "captured_wall_s": 1_800_000_000.25,
        "clock": "ntp",
        "boot_s": 5.0,
        "engine": "litert 2.3, bundle abc",
    }
    return PictureNotes(**{**known, **changes})


def jpeg(*, jfif: bool = True) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(file, "JPEG")
    data = file.getvalue()
    return data if jfif else data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def read_back(data: bytes) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """Return the picture's entries: about the picture, about how it was taken, about the place."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size == (64, 48)
        tags = picture.getexif()
        return dict(tags), dict(tags.get_ifd(EXIF_IFD)), dict(tags.get_ifd(GPS_IFD))


@pytest.mark.parametrize("jfif", [True, False], ids=["JFIF", "bare"])
def test_when_where_and_what(jfif: bool) -> None:
    top, taken, place = read_back(with_exif(jpeg(jfif=jfif), notes(latitude=-52.5, longitude=13.25)))
    assert top[DESCRIPTION] == "great tit 0.87"
    assert top[SOFTWARE] == "Fieldfare, litert 2.3, bundle abc"
    moment = time.localtime(1_800_000_000)
    assert taken[TIME] == time.strftime("%Y:%m:%d %H:%M:%S", moment)
    assert taken[OFFSET] == time.strftime("%z", moment)[:3] + ":" + time.strftime("%z", moment)[3:]
    assert taken[FRACTION] == "250"
    assert taken[COMMENT].startswith(
        b"ASCII\0\0\0great tit 0.87; best of garden-0123abcd-5000; time from a time server"
    )
    assert (place[1], place[2], place[3], place[4]) == ("S", (52, 30, 0), "E", (13, 15, 0))


def test_without_a_place_there_is_none() -> None:
    assert read_back(with_exif(jpeg(), notes()))[2] == {}


@pytest.mark.parametrize(
    ("clock", "dated", "words"),
    [
        ("ntp", True, b"time server"),
        ("rtc", True, b"by itself"),
        ("hand", True, b"by hand"),
        ("none", False, b"no time"),
    ],
)
def test_a_time_that_nobody_vouches_for_is_not_written(clock: ClockQuality, dated: bool, words: bytes) -> None:
    taken = read_back(with_exif(jpeg(), notes(clock=clock)))[1]
    assert (TIME in taken) == dated
    assert words in taken[COMMENT]
    assert taken[COMMENT].endswith(b"5.000 s after the boot")


@pytest.mark.parametrize("wall_s", [1e30, -1e30, 1e12])
def test_a_time_of_no_year_is_left_out(wall_s: float) -> None:
    taken = read_back(with_exif(jpeg(), notes(captured_wall_s=wall_s, clock="hand")))[1]
    assert TIME not in taken or len(taken[TIME]) >= 19


def test_east_of_greenwich_is_ahead_of_it() -> None:
    def nepal(seconds: float) -> time.struct_time:
        moment = time.gmtime(seconds + 20_700)
        return time.struct_time((*moment[:9], "NPT", 20_700))

    assert b"+05:45\0" in exif(notes(), nepal)


def test_letters_beyond_ascii() -> None:
    top, taken, _ = read_back(with_exif(jpeg(), notes(label="Grünfink 🐦")))
    assert top[DESCRIPTION].encode("latin-1").decode() == "Grünfink 🐦 0.87"
    assert taken[COMMENT].removeprefix(b"UNICODE\0").decode("utf-16-le").startswith("Grünfink 🐦 0.87; ")


@pytest.mark.parametrize("label", ["x" * 10_000, "\0\x1b[2J\n", "<script>", "../../etc", "\udcff", ""])
def test_whatever_a_label_holds_the_picture_stays_whole(label: str) -> None:
    top, taken, _ = read_back(with_exif(jpeg(), notes(label=label)))
    assert top.get(DESCRIPTION, "").isprintable()
    assert len(taken[COMMENT]) < 1000


@given(
    st.text(max_size=300),
    st.floats(0, 1),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_anything_can_be_read_back(label: str, score: float, latitude: float, longitude: float, wall_s: float) -> None:
    written = notes(label=label, score=score, latitude=latitude, longitude=longitude, captured_wall_s=wall_s)
    place = read_back(with_exif(jpeg(), written))[2]
    for tag, value in ((2, latitude), (4, longitude)):
        degrees, minutes, seconds = map(float, place[tag])
        assert degrees + minutes / 60 + seconds / 3600 == pytest.approx(abs(value), abs=1e-7)
