"""One rule decides what a label may be, wherever one comes from."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.labels import appearance, check_unmistakable, label_fix, label_problem, parse_labels, twins
from edge.errors import BundleError
from edge.printable import printable


@pytest.mark.parametrize(
    "label",
    [
        "owl",
        "red deer",
        "Grünfink",
        "7up",
        "狐",
        "\u06af\u0644\u200c\u0647\u0627",  # flowers in Persian, with a joiner
        "\U0001f469\u200d\U0001f52c",  # a woman scientist
        "\u2764\ufe0f",  # a red heart
        "unknown bird",
        "Unbekannt",
        "\U0001fae9",  # a face that Python 3.11 does not know: a bundle of a newer desktop
        "x" * 1000,
    ],
)
def test_names_in_any_script_are_labels(label: str) -> None:
    assert label_problem(label) is None


@pytest.mark.parametrize(
    "label",
    [
        *("unknown", "Unknown", "UNKNOWN"),
        "\uff55\uff4e\uff4b\uff4e\uff4f\uff57\uff4e",  # wide letters
        "\U0001d42e\U0001d427\U0001d424nown",  # bold ones, as for formulas
        *("un\u200dknown", "unknown\ufe0f"),
    ],
)
def test_what_reads_as_the_word_for_no_class_is_no_label(label: str) -> None:
    assert label_problem(label) in (
        "is 'unknown', which the device reports when no class fits",
        "reads as 'unknown', which the device reports when no class fits",
    )
    assert label_fix(label) == "choose another name, such as 'other'"
    with pytest.raises(BundleError, match=r"labels: line 2 .*'unknown', which the device reports"):
        check_unmistakable(("owl", label))


def test_a_bundle_with_the_very_word_is_refused_and_one_that_users_made_with_a_similar_one_opens() -> None:
    with pytest.raises(BundleError, match=r"labels: line 2 is 'unknown', which the device reports"):
        parse_labels(b"owl\nunknown\n")
    assert parse_labels(b"owl\nUnknown\n") == ("owl", "Unknown")


@pytest.mark.parametrize(
    "bad",
    [
        *("\x00", "\x07", "\x1b", "\x7f", "\x9b", "\xa0", "\xad"),  # controls, odd blanks, a soft hyphen
        *("\u200b", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2066", "\u2067", "\u2069", "\ufeff"),
        *("\u3000", "\ue000", "\ufff9", "\ufffe", "\ufdd0", "\u115f", "\u3164", "\uffa0", "\u2800", "\u034f"),
        *("\U000e0041", "\U000e0fff", "\U000f0000", "\U0001d159", "\U0001d173"),
    ],
)
def test_characters_that_act_reorder_or_hide_are_no_part_of_labels(bad: str) -> None:
    problem = label_problem(f"o{bad}wl")
    assert problem is not None
    assert problem.startswith(f"holds U+{ord(bad):04X}")
    assert problem.endswith(", unprintable")
    with pytest.raises(BundleError, match=r"line 1 holds U\+"):
        parse_labels(f"o{bad}wl\nwren\n".encode())


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("\ufe0f", "is empty"),
        (" owl", "has blanks or joiners at its ends"),
        ("owl\u200d", "has blanks or joiners at its ends"),
        ("\u200c", "has blanks or joiners at its ends"),
        ("é" * 501, "has 1002 bytes, at most 1000"),
        ("o\udce9wl", "holds the byte 0xE9, which is not UTF-8, unprintable"),
    ],
)
def test_other_texts_that_are_no_labels(label: str, problem: str) -> None:
    assert label_problem(label) == problem
    assert label_fix(label)


def test_labels_that_look_the_same_are_found() -> None:
    assert twins(["crane", "owl", "crane", "Crane", "e\u0301", "\u00e9"]) == {"crane": [0, 2], "e\u0301": [4, 5]}
    assert twins(["owl", "wren"]) == {}
    assert twins(["m2", "m\u00b2", "A", "\uff21"]) == {}  # a square and a wide letter are seen


@given(st.text(max_size=40))
def test_any_label_can_be_shown_as_it_is(label: str) -> None:
    """What passes is printed as it stands: nothing of it acts on a terminal, and it has no other meaning there."""
    if label_problem(label) is None:
        assert all(c in printable(label) or unicodedata.category(c) == "Cn" for c in label)
        assert appearance(label)
        assert parse_labels(f"{label}\n".encode()) == (label,)
    else:
        assert label_fix(label)
