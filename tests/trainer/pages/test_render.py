"""Pages show names from outside without control characters, escaped."""

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from trainer.pages import words
from trainer.pages.render import _clean


@given(st.text())
def test_nothing_unprintable_gets_into_a_page(name: str) -> None:
    for shown in (str(_clean(name)), str(_clean(Markup(name))), words.clean(name)):
        assert all(c.isprintable() or c in "\n\u200c\u200d\u2068\u2069" or c.isspace() for c in shown)
        assert not {"\x85", "\x1c", "\u2028", "\r", "\x0b"} & {*shown}


def test_what_is_escaped_stays_so_and_numbers_stay_numbers() -> None:
    assert isinstance(_clean(Markup("<b>\x1b</b>")), Markup)
    assert not isinstance(_clean("<b>"), Markup)
    assert _clean(5) == 5
    assert _clean(words.called("owl")) == words.called("owl")
