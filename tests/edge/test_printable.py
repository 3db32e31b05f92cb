"""Text from outside, fit to be shown: nothing that a terminal acts on, and no password."""

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.printable import LONGEST_LINE, concealed, masked, one_line, printable, printable_json

ACTED_ON = [
    "\x00",
    "\x07",
    "\x1b[2J",
    "\x7f",
    "\x9b31m",
    "\n",
    "\r",
    "\t",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\ud800",
]
SLIPS = [
    "rtsp://me:{}@192.168.1.20:554/x",
    "rtsp:/me:{}@192.168.1.20:554/x",
    " rtsp://me:{}@192.168.1.20:554/x",
    "rtsp//me:{}@192.168.1.20/x",
    "rtsp:me:{}@192.168.1.20/x",
    "rtsp;//me:{}@192.168.1.20/x",
    r"rtsp:\\me:{}@192.168.1.20/x",
    "rstp://me:{}@192.168.1.20/x",
    "r tsp://me:{}@192.168.1.20/x",
    "rtsp:// me:{}@192.168.1.20/x",
    "://me:{}@192.168.1.20/x",
    "//me:{}@192.168.1.20/x",
    "me:{}@192.168.1.20/x",
    "rtsp://me{}@192.168.1.20/x",
    "rtsp://me:{}/x",
    "rtsp://me:{}192.168.1.20:554/x",
    "http://me:{}%40cam/x",
    "http://cam/x?user=me&pwd={}",
    "http://cam/x#token={}",
    "http://cam/x?token=a@{}",
    "rtsp://cam:554/user=admin_password={}_channel=1.sdp",
    "cam/x&pass={}",
    "HTTP://CAM/X?PASSWORD={}",
]


class TestPrintable:
    @given(st.text())
    def test_nothing_is_left_that_a_terminal_acts_on(self, text: str) -> None:
        shown = printable(text)
        assert len(shown) == len(text)
        kinds = {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        shown.encode()

    @pytest.mark.parametrize("text", ["Öltröpfchen", "\u0645\u06cc\u200c\u062e", "👩\u200d🌾", "a\u00a0b", "猫"])
    def test_words_of_any_language_stay(self, text: str) -> None:
        assert printable(text) == text

    @pytest.mark.parametrize("text", ACTED_ON)
    def test_what_is_kept_on_purpose_stays(self, text: str) -> None:
        assert printable(text, keep=text) == text


class TestOneLine:
    @given(st.text())
    def test_it_is_one_and_printable(self, text: str) -> None:
        shown = one_line(text)
        assert len(shown.splitlines()) <= 1
        assert shown == printable(shown)
        assert one_line(shown) == shown

    def test_it_is_cut_before_journald_cuts_it(self) -> None:
        """journald reads a priority at the beginning of what follows after 48 kB."""
        assert len(one_line("猫" * 100_000).encode()) < 48 * 1024
        assert len(one_line("x" * 100_000)) == LONGEST_LINE + 3

    @pytest.mark.parametrize("part", ["@", "http://", "a:", "http: ", "'", "\\", "pass=", "f", "@ ", "[", "\n"])
    def test_no_text_takes_long(self, part: str) -> None:
        began_s = time.monotonic()
        one_line(part * 100_000 + "=@")
        assert time.monotonic() - began_s < 10


class TestJson:
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_the_content_stays_and_everything_is_printable(self, text: str) -> None:
        data = json.dumps({"label": text}, ensure_ascii=False).encode()
        shown = printable_json(data)
        assert json.loads(shown) == {"label": text}
        assert shown.decode().isprintable()

    def test_plain_json_is_returned_as_it_is(self) -> None:
        data = '{"label":"Öl"}'.encode()
        assert printable_json(data) is data


class TestMasked:
    @pytest.mark.parametrize("slip", SLIPS)
    def test_a_slip_shows_no_password(self, slip: str) -> None:
        address = slip.format("hush42")
        sentences = [
            f"source {masked(address)!r} is not there",
            f"camera.width = {address!r}: must be a whole number, such as in rtsp://user:password@192.168.1.20/s; so",
        ]
        assert "hush42" not in masked(address)
        for sentence in sentences if "%40" in address or "@" in address or "=" in address else sentences[:1]:
            assert "hush42" not in one_line(sentence)

    @given(password=st.text(min_size=4).map(lambda text: f"hush{text}hush"), slip=st.sampled_from(SLIPS[:4]))
    def test_any_password_is_hidden_whatever_the_slip(self, password: str, slip: str) -> None:
        shown = masked(slip.format(password))
        assert "hush" not in shown
        assert shown.endswith(("192.168.1.20:554/x", "192.168.1.20/x", "***"))

    @given(st.text())
    def test_masking_twice_is_masking_once(self, text: str) -> None:
        assert printable(masked(text)) == masked(text)
        assert masked(masked(text)) == masked(text)

    @pytest.mark.parametrize(
        "text",
        [
            "/home/me/clip.avi",
            "/data/me@home/clip.mp4",
            "clips/a=b/1.mp4",
            "synthetic",
            "picamera2:1",
            "/dev/video0",
            "rtsp://[fe80::1]:554/x",
            "rtsp://192.168.1.20:554/x",
        ],
    )
    def test_what_holds_no_credentials_stays(self, text: str) -> None:
        assert masked(text) == text

    @pytest.mark.parametrize(
        "sentence",
        [
            "in use by fieldfare@front: sudo systemctl stop fieldfare@front, then try again",
            "stream rtsp://192.168.1.20:554: no frame within 3 s",
            "must be a URL such as rtsp://user:password@192.168.1.20:554/stream; it begins with rtsp",
            "give a folder, an rtsp:// or http:// stream, or synthetic",
            "no module named x: pip install 'x @ https://example.org/x.whl'",
            'camera.script is for source = "synthetic": take it out',
        ],
    )
    def test_other_sentences_stay(self, sentence: str) -> None:
        assert concealed(sentence) == sentence
