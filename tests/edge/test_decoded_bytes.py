"""Whatever is wrong with bytes that were to be decoded, there is one error for it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decoding import DecodingError, decode_json, decode_msgpack

DEEP = 100_000


class Note(msgspec.Struct):
    text: str = ""


def test_what_is_sound_is_returned() -> None:
    assert decode_json(b'{"text": "wren", "later": 1}', Note) == Note("wren")
    assert decode_msgpack(msgspec.msgpack.encode(Note("wren")), Note) == Note("wren")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"text": 1}', b"[]", b'{"text": "\xff"}', b'{"later": ' + b"[" * DEEP, b"[" * DEEP],
    ids=["empty", "cut off", "other type", "list", "not UTF-8", "deep in a key that is skipped", "deep"],
)
def test_json_that_is_not_as_it_should_be(data: bytes) -> None:
    with pytest.raises(DecodingError):
        decode_json(data, Note)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x81", b"\x81\xa4text\x01", b"\x90", b"\x81\xa4text\xa1\xff", b"\x81\xa5later" + b"\x91" * DEEP],
    ids=["empty", "cut off", "other type", "list", "not UTF-8", "deep in a key that is skipped"],
)
def test_messagepack_that_is_not_as_it_should_be(data: bytes) -> None:
    with pytest.raises(DecodingError):
        decode_msgpack(data, Note)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_this_error(data: bytes) -> None:
    for decode in (decode_json, decode_msgpack):
        try:
            assert isinstance(decode(data, Note), Note)
        except DecodingError as error:
            assert str(error)
