"""Labels carried from a few photos to the many like them: which get one, what is written, and what training reads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from heard import Heard
from hypothesis import given
from hypothesis import strategies as st
from mean_colours import MeanColours, colour_photo, colour_photos, sorted_photos
from numpy.typing import NDArray

from edge.errors import DatasetError
from trainer.dataset.listing import list_photos
from trainer.dataset.machine_labels import read_machine_labels
from trainer.dataset.photo_folders import photos_in
from trainer.features.extract import extract
from trainer.picking.spread import Labels, as_sure_as, as_sure_as_right, spread, sure_on_average, write_labels
from trainer.picking.two_networks import TwoNetworks

CARD = {"red": 10, "green": 7, "blue": 5}


def carried(labelled: Path, photos: Path, precision: float = 0.8) -> Labels:
    return spread(labelled, photos, MeanColours(), precision=precision, seed=0, workers=1, progress=Heard())


def test_photos_get_the_label_of_their_colour(tmp_path: Path) -> None:
    labels = carried(sorted_photos(tmp_path / "few", 8), colour_photos(tmp_path / "card", CARD))
    assert labels.figures.classes == {"blue": 5, "green": 7, "red": 10}
    assert (labels.figures.photos, labels.figures.labelled, labels.figures.precision) == (22, 24, 1.0)
    names = [labels.listing.classes[label] for label in labels.labels]
    assert names == [path.name.partition("-")[0] for path in labels.paths]
    assert ((labels.sure > 0.5) & (labels.sure <= 1)).all()


def test_the_figures_show_how_little_few_photos_prove(tmp_path: Path) -> None:
    """24 of 24: Wilson's one-sided bound at 90 % is 24 / (24 + 1.2816 ** 2)."""
    figures = carried(sorted_photos(tmp_path / "few", 8), colour_photos(tmp_path / "card", CARD), 0.5001).figures
    assert (figures.tested, figures.reached, figures.right) == (24, 24, 24)
    assert figures.at_least == pytest.approx(24 / (24 + 1.2816**2), abs=1e-4)


def test_photos_that_the_network_learned_from_are_counted(tmp_path: Path) -> None:
    """They lose their label for the test, and the network has seen it: the test is too easy."""
    few, card = sorted_photos(tmp_path / "few", 8), colour_photos(tmp_path / "card", CARD)
    source = MeanColours()
    red = extract(photos_in(few / "red"), source, workers=1, progress=Heard()).features
    labels = spread(few, card, source, precision=0.8, seed=0, workers=1, progress=Heard(), learned=red)
    assert (labels.figures.learned, labels.figures.learned_others) == (8, 0)
    blue = extract(
        [path for path in photos_in(card) if path.name.startswith("blue")], source, workers=1, progress=Heard()
    )
    labels = spread(few, card, source, precision=0.8, seed=0, workers=1, progress=Heard(), learned=blue.features)
    assert (labels.figures.learned, labels.figures.learned_others) == (0, 5)
    assert carried(few, card).figures.learned == 0


def mixed_photos(folder: Path, count: int) -> None:
    """Photos of a colour between red and green, each a little nearer to red."""
    for number in range(count):
        red, green = (cv2.imread(str(colour_photo(folder / "raw.png", c, 700 + number))) for c in ("red", "green"))
        (folder / "raw.png").unlink()
        part = 0.5 + number / (12 * count)
        cv2.imwrite(str(folder / f"mixed-{number}.png"), cv2.addWeighted(red, part, green, 1 - part, 0))


def test_labels_are_as_sure_on_average_as_is_wanted(tmp_path: Path) -> None:
    few, card = sorted_photos(tmp_path / "few", 8), tmp_path / "card"
    colour_photos(card, {"red": 4, "blue": 4})
    mixed_photos(card, 12)
    source = MeanColours()
    learned = extract(photos_in(few / "red"), source, workers=1, progress=Heard()).features
    plain = carried(few, card, 0.9)
    too_easy = spread(few, card, source, precision=0.9, seed=0, workers=1, progress=Heard(), learned=learned)
    for labels in (plain, too_easy):
        assert labels.sure.mean() >= 0.9
        assert 8 <= len(labels.sure) < 20
        assert 0.5 < labels.figures.threshold <= labels.sure.min()
    surest = max(zip(plain.paths, plain.sure, strict=True), key=lambda one: one[1])
    other = dict(zip(too_easy.paths, too_easy.sure, strict=True))
    assert other[surest[0]] != surest[1], "a test that is too easy changes nothing"
    mixed_photos(only := tmp_path / "only", 12)
    with pytest.raises(DatasetError, match=r"no label is surer than 0\.\d\d: give a lower --precision, or --weights"):
        spread(few, only, source, precision=0.9, seed=0, workers=1, progress=Heard(), learned=learned)
    with pytest.raises(DatasetError, match=r"test, 100% got the .* surer than 0\.\d\d: label more photos, or give"):
        carried(few, only, 0.9)


@pytest.mark.parametrize("honest", [0.3, 1.0, 3.0])
def test_labels_become_as_sure_as_they_are_right(honest: float) -> None:
    """Answers of a known sureness, shown as too sure or not sure enough; 4,000 of them."""
    rng = np.random.default_rng(8)
    logits = rng.normal(0, 2, (8000, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in true])
    shown = np.exp(logits * honest)
    shown = (shown / shown.sum(axis=1, keepdims=True)).astype(np.float32)
    shares, tested = as_sure_as_right(shown[4000:], shown[:4000], truth[:4000])
    assert tested.shape == shares.shape == (4000, 4)
    assert np.array_equal(shares.argmax(axis=1), shown[4000:].argmax(axis=1))
    right = (shares.argmax(axis=1) == truth[4000:]).mean()
    assert shares.max(axis=1).mean() == pytest.approx(right, abs=0.02)


class Corners(MeanColours):
    """Sees the upper left corner of a picture."""

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pixels[:, :2, :2].mean(axis=(1, 2)).astype(np.float32)


def hard_photos_with_their_class_in_a_corner(few: Path) -> Path:
    """Class folders with three photos of another colour each, so that mean levels often fail, and corners never do."""
    sorted_photos(few, 8)
    names = ("red", "green", "blue")
    for number in range(3):
        for name, other in zip(names, (*names[1:], names[0]), strict=True):
            (few / name / f"{name}-{number}.png").rename(few / other / f"{name}-{number}.png")
    for place, name in enumerate(names):
        for photo in photos_in(few / name):
            picture = cv2.imread(str(photo))
            assert picture is not None
            picture[:6, :6] = np.eye(3)[place] * 255
            cv2.imwrite(str(photo), picture)
    return few


@pytest.mark.parametrize("first", ["learned from them", "remembers none", "learned from others"])
def test_a_second_network_shows_how_sure_labels_are_if_the_first_may_have_learned_from_them(
    tmp_path: Path, first: str
) -> None:
    few = hard_photos_with_their_class_in_a_corner(tmp_path / "few")
    card = colour_photos(tmp_path / "card", CARD)
    learned = extract(photos_in(few / "red"), Corners(), workers=1, progress=Heard()).features
    seen = {"learned from them": learned, "remembers none": learned[:0], "learned from others": learned + 9}[first]
    both, alone = (
        spread(few, card, source, precision=0.501, seed=0, workers=1, progress=Heard(), learned=of)
        for source, of in ((TwoNetworks(Corners(), MeanColours()), seen), (MeanColours(), None))
    )
    assert (both.figures.learned > 0) == (first == "learned from them")
    as_sure = both.sure.mean() == pytest.approx(alone.sure.mean(), abs=0.02)
    assert as_sure == (first != "learned from others"), "the test of both shows it, if nothing speaks against it"


@pytest.mark.parametrize("average", [0.4, 0.6, 0.8])
def test_labels_become_as_sure_as_others_on_average(average: float) -> None:
    shown = np.random.default_rng(4).dirichlet([2.0] * 4, 500).astype(np.float32)
    shares, held_out = as_sure_as(average, shown, shown[:7])
    assert shares.max(axis=1).mean() == pytest.approx(average, abs=0.01)
    assert np.array_equal(held_out, shares[:7])
    assert np.array_equal(shares.argmax(axis=1), shown.argmax(axis=1))


def test_a_few_right_answers_make_no_label_certain() -> None:
    shown = np.array([[0.6, 0.4], [0.7, 0.3], [0.3, 0.7]], np.float32)
    shares, _ = as_sure_as_right(shown, shown, np.array([0, 0, 1]))
    assert 0.7 < shares.max() < 0.99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_as_many_as_are_sure_enough_on_average(sure: list[float], precision: float) -> None:
    least = sure_on_average(np.array(sure), precision)
    levels = sorted(set(sure), reverse=True)
    enough = [level for level in levels if np.mean([one for one in sure if one >= level]) >= precision + 1e-9]
    if least is None:
        assert not enough
    else:
        assert np.mean([one for one in sure if one >= least]) >= precision - 1e-9
        assert not enough or least <= min(enough)


def test_training_reads_what_is_written_and_knows_whose_labels_they_are(tmp_path: Path) -> None:
    card = colour_photos(tmp_path / "card" / "may" / "3", CARD).parent.parent
    labels = carried(sorted_photos(tmp_path / "few", 8), card)
    write_labels(tmp_path / "out", labels, card, copy=False, progress=Heard())
    listing = list_photos(tmp_path / "out")
    made = [listing.photos[index].path for index in listing.machine_made]
    assert len(listing.photos) == 46
    assert {path.resolve() for path in made} == {path.resolve() for path in card.rglob("*.png")}
    # Sub-folders stay: --group-by folder finds the visits.
    assert all(path.relative_to(tmp_path / "out").parts[1:3] == ("may", "3") for path in made)
    assert listing.lost == 0


def test_what_was_labelled_or_looks_the_same_gets_no_second_label(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few", 8)
    card = colour_photos(tmp_path / "card", CARD)
    (card / "again.png").symlink_to(few / "red" / "red-0.png")
    (card / "copy.png").write_bytes((few / "red" / "red-1.png").read_bytes())
    for name in ("burst-1.png", "burst-2.png"):
        colour_photo(card / name, "blue", 55)
    assert carried(few, card).figures.photos == 22 + 1


def test_labels_of_test_photos_are_carried_nowhere(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few" / "train", 8).parent
    sorted_photos(few / "test", 3, first_seed=5000)
    card = colour_photos(tmp_path / "card", CARD)
    labels = carried(few, card)
    assert labels.figures.labelled == 24
    write_labels(tmp_path / "out", labels, card, copy=True, progress=Heard())
    listing = list_photos(tmp_path / "out")
    assert {listing.photos[index].split for index in listing.machine_made} == {"train"}
    assert sum(photo.split == "test" for photo in listing.photos) == 9


def test_a_spread_folder_can_be_spread_again_from_the_hand_made_labels_alone(tmp_path: Path) -> None:
    card = colour_photos(tmp_path / "card", CARD)
    write_labels(
        tmp_path / "out", carried(sorted_photos(tmp_path / "few", 8), card), card, copy=False, progress=Heard()
    )
    again = carried(tmp_path / "out", card)
    assert (again.figures.labelled, again.figures.photos) == (24, 22)


def test_labels_whose_photos_are_gone_are_named(tmp_path: Path) -> None:
    few, heard = sorted_photos(tmp_path / "few", 8), Heard()
    for number in range(3):
        (few / "red" / f"gone-{number}.png").symlink_to(tmp_path / "card-that-is-out" / f"{number}.png")
    spread(few, colour_photos(tmp_path / "card", CARD), MeanColours(), precision=0.8, seed=0, workers=1, progress=heard)
    assert any("3 links to photos lead nowhere" in line for line in heard.lines), heard.lines


def test_a_photo_in_two_classes_teaches_neither(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few", 8)
    (few / "red" / "wrong.png").write_bytes((few / "blue" / "blue-0.png").read_bytes())
    assert carried(few, colour_photos(tmp_path / "card", CARD)).figures.labelled == 23


def test_names_that_are_taken_are_changed(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few", 8)
    card = colour_photos(tmp_path / "card", {"red": 3}, first_seed=300)
    labels = carried(few, card)
    write_labels(tmp_path / "out", labels, card, copy=False, progress=Heard())
    assert sorted(read_machine_labels(tmp_path / "out")) == ["red/red-0-2.png", "red/red-1-2.png", "red/red-2-2.png"]
    assert len(list((tmp_path / "out" / "red").iterdir())) == 11


def test_too_few_labels_to_show_the_precision_are_refused(tmp_path: Path) -> None:
    card = colour_photos(tmp_path / "card", CARD)
    with pytest.raises(DatasetError, match=r"0\.99: that takes a test of 107 labelled photos, and there are 6"):
        carried(sorted_photos(tmp_path / "few", 2), card, precision=0.99)


def test_a_class_of_one_photo_is_no_error_of_its_own(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few", 8)
    colour_photo(few / "yellow" / "1.png", "red", 9000)
    labels = carried(few, colour_photos(tmp_path / "card", CARD), precision=0.7)
    assert labels.figures.classes["yellow"] <= 10


def test_nothing_to_label_and_one_class_are_errors(tmp_path: Path) -> None:
    few = sorted_photos(tmp_path / "few", 3)
    with pytest.raises(DatasetError, match="every photo is labelled already"):
        carried(few, few)
    colour_photos(tmp_path / "one" / "red", {"red": 3})
    with pytest.raises(DatasetError, match="one class only"):
        carried(tmp_path / "one", few)
