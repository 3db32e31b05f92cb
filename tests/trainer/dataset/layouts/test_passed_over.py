"""What is passed over in a class, in plain numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.dataset.layouts.passed_over import in_words, passed_over


def test_kinds_are_counted_by_their_endings_in_any_case_with_what_to_do() -> None:
    names = [*(f"{n}.HEIC" for n in range(30)), *(f"{n}.heic" for n in range(10)), "a.mov", "a.mov", "b.zip", "notes"]
    assert passed_over("robin", 8, names).words() == (
        "robin: 44 of 52 files passed over: 40 .heic (convert them to JPEG), 2 .mov (take single pictures from them), "
        "1 .zip (unpack them), 1 without an ending of a format"
    )


def test_many_kinds_are_summed_up() -> None:
    found = passed_over("robin", 0, [f"1.x{letter}" for letter in "abcdefgh"])
    assert found.words().endswith("1 .xe, 3 of other kinds")


@pytest.mark.parametrize(
    ("photos", "names", "large"),
    [
        (8, ["1.heic"] * 40, True),
        (9, ["1.heic"], True),
        (10, ["1.heic"], False),
        (0, ["1.dng"], True),
        (8, ["1.strange"] * 8, True),
        (8, ["IMG_1"] * 8, True),
        (8, ["1.xml"] * 80, False),
        (8, ["1.aae", "2.xmp", "3.json"] * 8, False),
    ],
)
def test_a_tenth_of_a_class_is_a_warning_unless_the_files_never_hold_pictures(
    photos: int, names: list[str], large: bool
) -> None:
    found = passed_over("robin", photos, names)
    assert found.is_large is large
    assert in_words([found])[0].startswith("warning: ") is large


def test_the_worst_classes_come_first_and_ten_are_enough() -> None:
    mild = [passed_over(f"mild {n}", 8, ["1.txt"] * (n + 1)) for n in range(12)]
    lines = in_words([*mild, passed_over("bad", 8, ["1.heic"] * 2)])
    assert lines[0].startswith("warning: bad: 2 of 10 files")
    assert lines[1].startswith("mild 11: 12 of 20 files")
    assert lines[-1] == "6 files passed over in 3 more classes"
    assert len(lines) == 11


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(0, 50))
def test_whatever_the_names_are_it_is_one_short_printable_line(names: list[str], photos: int) -> None:
    found = passed_over("owl", photos, names)
    line = found.words()
    assert line.isprintable()
    assert len(line) < 400
    assert found.count == len(names)
