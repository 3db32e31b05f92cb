"""What commands print as JSON is JSON, whatever the names of files in it hold."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.streams import echo_json
from edge.printable import utf8_text


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """As the rows of `dataset pick`."""

    file: str
    guess: str | None = None


def printed(value: object, capsys: pytest.CaptureFixture[str]) -> object:
    echo_json(value)
    return json.loads(capsys.readouterr().out)


def test_a_name_that_is_not_utf8_is_shown_with_replacement_characters(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"owl\xff\xfe.jpg")
    found = printed({"photos": 2, "picked": (Row(name), Row("é.jpg", guess="owl")), name: [{"a": name}]}, capsys)
    shown = "owl\ufffd\ufffd.jpg"
    assert found == {"photos": 2, "picked": [{"file": shown}, {"file": "é.jpg", "guess": "owl"}], shown: [{"a": shown}]}


def test_a_path_and_numbers_beside_such_a_name_stay(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(
        {"path": Path(os.fsdecode(b"/x/\xff")).as_posix(), "share": 0.25, "none": None, "yes": True}, capsys
    )
    assert found == {"path": "/x/\ufffd", "share": 0.25, "none": None, "yes": True}


def test_half_a_pair_that_stands_for_no_byte_is_replaced_too() -> None:
    assert utf8_text("a\ud800b\udcff") == "a\ufffdb\ufffd"


@given(st.binary())
def test_text_of_any_name_is_utf8_and_stays_if_it_was(name: bytes) -> None:
    text = name.decode("utf-8", "surrogateescape")
    assert utf8_text(text) == name.decode("utf-8", "replace")
