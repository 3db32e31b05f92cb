"""TOML that people wrote: what the decoder refuses gets a hint if a text or a time lacks its quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.toml import decode_toml
from edge.errors import ConfigError

QUOTES = 'put texts and times in quotes, such as "06:30"'
SWITCH = "write true or false, in small letters"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[[schedule.awake]]\nfrom = 06:30\n", QUOTES),
        ("from = sunset-0:30", QUOTES),
        ("source = /dev/video0", QUOTES),
        ("label = fox # red\nother = 1", QUOTES),
        ("a = 1\nlabel = fox", QUOTES),
        ("loop = True", SWITCH),
        ("loop = yes # please", SWITCH),
        ("loop = Off", SWITCH),
        ("label = truelove", QUOTES),
        ("fps = 1,5", ""),
        ("fps =", ""),
        ("[camera", ""),
        ("a = 1\na = 2", ""),
    ],
)
def test_what_lacks_its_quotes_is_named(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=r"f\.toml: not valid TOML: ") as caught:
        decode_toml(text.encode(), "f.toml")
    assert str(caught.value).endswith(f"): {hint}" if hint else ")")


def test_the_hint_shows_nothing_of_the_line() -> None:
    with pytest.raises(ConfigError) as caught:
        decode_toml(b"source = rtsp://user:hunter2@camera/1", "f.toml")
    assert "hunter2" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_one_error(data: bytes) -> None:
    try:
        assert isinstance(decode_toml(data, "f.toml"), dict)
    except ConfigError as error:
        assert error.faults == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_other_encodings_are_named_with_the_fix(encoding: str) -> None:
    with pytest.raises(ConfigError, match=r"^f\.toml: must be UTF-8, as byte \d+ is not: save it as UTF-8$"):
        decode_toml('bundle = "gr\u00fcn"'.encode(encoding), "f.toml")
