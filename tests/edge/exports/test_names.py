"""Names that every file system takes, whatever a label holds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.exports.copying.names import Names, safe_name
from edge.photo_files import is_everyday, is_out_of_bounds

# The pattern of media.filePath in Camtrap DP 1.0.2.
CAMTRAP_PATH = re.compile(r"^(?=^[^./~])(^((?!\.{2}).)*$).*$")
texts = st.text(max_size=200)


@pytest.mark.parametrize("text", ["fox", "roe deer", "Schleiereule", "狐狸", "می‌خواهم", "M&M's", "1.5 kg"])
def test_what_is_a_name_already_stays(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", "../../etc/passwd", "a/b", "C:\\x", "CON", "com1.txt", "-rf", "a\x1b[31mb", "fox.", "~", "a\nb"),
        *("$RECYCLE.BIN", "lost+found", "FOUND.000", "@eaDir", "#recycle", "My.lrdata", ".owl", "Temporary Items"),
    ],
)
def test_what_is_none_is_changed_and_marked_by_its_hash(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r".*-[0-9a-f]{8}", name)
    assert not set('<>:"/\\|?*\n\x1b') & set(name)
    assert not is_out_of_bounds(name)


@pytest.mark.parametrize("text", ["thumbnails", "Recycled", "RECYCLER", "thumbnail"])
def test_everyday_words_stay_the_trainer_takes_them_for_classes(text: str) -> None:
    assert safe_name(text) == text


@given(texts)
def test_a_name_fits_everywhere(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name.encode()) <= 80
    assert CAMTRAP_PATH.match(f"media/{name}/x.jpg")
    assert name == name.strip(" .~")
    assert is_everyday(name) or not is_out_of_bounds(name)  # the trainer passes over no class
    assert all(c.isprintable() or c in "\u200c\u200d" for c in name)


@given(texts, texts)
def test_two_texts_have_two_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.lists(st.sampled_from(["fox", "Fox", "FOX", "f\u00f6x", "F\u00d6X", "straße", "STRASSE", "fox."])))
def test_no_two_names_side_by_side_differ_by_case_only(labels: list[str]) -> None:
    names = Names()
    found = {label: names.of(label) for label in labels}
    assert len({name.casefold() for name in found.values()}) == len(found)
    assert all(names.of(label) == name for label, name in found.items())
