"""fieldfare compare: two real bundles on the same photos."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.errors import BundleError, DatasetError
from edge.images import read_image
from edge.importing.importer import Question, Told, import_model
from edge.inference.runtime import load_runtime
from trainer.comparison.compare import choose_photos, compare_bundles, verdict
from trainer.comparison.page import render_comparison, terminal_lines
from trainer.comparison.records import Comparison
from trainer.dataset.listing import Listing, list_photos
from trainer.measuring.metrics import wilson
from trainer.measuring.paired import compare_answers

Run = Callable[..., subprocess.CompletedProcess[str]]
OTHERS = {"macaw": "parrot.jpg", "hotdog, hot dog, red hot": "hot_dog.jpg"}


class Silent:
    """Progress for nobody."""

    def say(self, text: str) -> None:
        pass

    def stage(self, title: str, total: int) -> "Silent":
        return self

    def __enter__(self) -> Callable[[int], None]:
        return lambda _: None

    def __exit__(self, *_: object) -> None:
        pass


def told_all(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


@pytest.fixture(scope="module")
def bundles(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """A small MobileNet (128 pixels) and a large one (224): the same 1,001 classes, other input sizes."""
    folder = tmp_path_factory.mktemp("bundles")
    made = []
    for name, model in (("small", "mobilenet_v1_0.25_128_quant"), ("large", "tf2_mobilenet_v2_1.0_224_ptq")):
        bundle = import_model(shared / "models" / f"{model}.tflite", folder / name, Told(resize="squash"), told_all)
        save(bundle)
        made.append(bundle)
    return made[0], made[1]


@pytest.fixture(scope="module")
def photos(shared: Path, tmp_path_factory: pytest.TempPathFactory, save_photo: Callable[..., Path]) -> Path:
    """Seven views each of a macaw and a hot dog, from whole down to a detail: the small network fails first."""
    root = tmp_path_factory.mktemp("photos")
    for label, file in OTHERS.items():
        image = read_image(shared / "models" / file)
        height, width = image.shape[:2]
        for step in range(7):
            y, x = height * step // 18, width * step // 18
            save_photo(root / label / f"{step}.jpg", np.ascontiguousarray(image[y : height - y, x : width - x]))
    return root


@pytest.fixture(scope="module")
def contest(bundles: tuple[Bundle, Bundle], photos: Path) -> tuple[Comparison, str]:
    result, shown = compare_bundles(bundles, list_photos(photos, min_photos=1), load_runtime(), Silent(), pictures=True)
    return result, render_comparison(result, shown)


def test_both_see_every_photo_at_their_own_size(contest: tuple[Comparison, str]) -> None:
    result, _ = contest
    assert result.photos == 14
    assert (result.a.width, result.b.width) == (128, 224)
    assert result.a.bytes_model < result.b.bytes_model
    assert 0 < result.a.invoke_ms < result.b.invoke_ms
    paired = result.paired
    assert paired.both + paired.only_a + paired.only_b + paired.neither == 14
    assert result.a.top1.value == pytest.approx((paired.both + paired.only_a) / 14)
    assert result.b.top1.value > 0.5
    assert [entry.name for entry in result.classes] == sorted(OTHERS)
    assert sum(entry.only_b for entry in result.classes) == paired.only_b


def test_without_a_test_folder_all_photos_are_used_and_that_is_said(contest: tuple[Comparison, str]) -> None:
    result, _ = contest
    assert result.split == "all"
    assert "the figures of a bundle that learned from them are too good" in result.notes[0]


def test_the_page_stands_alone(contest: tuple[Comparison, str]) -> None:
    _, html = contest
    assert html.startswith("<!doctype html>")
    assert "http" not in html
    assert "A or B?" in html


def test_the_terminal_says_the_verdict_first(contest: tuple[Comparison, str]) -> None:
    lines = terminal_lines(contest[0])
    assert lines[0] == contest[0].verdict
    assert any(line.startswith("one inference here") for line in lines)


def test_a_bundle_is_as_good_as_itself(bundles: tuple[Bundle, Bundle], photos: Path) -> None:
    result, _ = compare_bundles((bundles[0], bundles[0]), list_photos(photos, min_photos=1), load_runtime(), Silent())
    assert (result.better, result.certain, result.paired.p) == (None, False, 1.0)
    assert (result.paired.only_a, result.paired.only_b) == (0, 0)
    assert result.verdict.startswith("No difference")
    assert result.paired.difference.low < 0 < result.paired.difference.high


@pytest.mark.parametrize(
    ("only_a", "only_b", "better", "certain", "start"),
    [
        (0, 6, "B", True, "B is better"),
        (20, 4, "A", True, "A is better"),
        (0, 5, "B", False, "B did better here, but that may be chance"),
        (3, 3, None, False, "No difference: A is right on"),
        (0, 0, None, False, "No difference: both are right on"),
    ],
)
def test_the_verdict_in_a_sentence(only_a: int, only_b: int, better: str | None, certain: bool, start: str) -> None:
    """Six against none is the least that McNemar's exact test calls more than chance."""
    right_a = np.array([True] * (40 + only_a) + [False] * only_b)
    right_b = np.array([True] * 40 + [False] * only_a + [True] * only_b)
    n = len(right_a)
    found = verdict(compare_answers(right_a, right_b), wilson(int(right_a.sum()), n), wilson(int(right_b.sum()), n), n)
    assert found[:2] == (better, certain)
    assert found[2].startswith(start)


@pytest.fixture
def listing(photos: Path) -> Listing:
    return list_photos(photos, min_photos=1)


def test_classes_that_only_one_knows_are_named(listing: Listing) -> None:
    with pytest.raises(BundleError, match=r"only A has 'cat', only B 'dog', 'emu', 'fox' and 1 more"):
        choose_photos(listing, None, [{"macaw", "cat"}, {"macaw", "dog", "emu", "fox", "gnu"}])


def test_where_one_knows_more_the_common_classes_decide(listing: Listing) -> None:
    found, split, notes = choose_photos(listing, None, [set(OTHERS), {"macaw"}])
    assert {listing.classes[photo.label] for photo in found} == {"macaw"}
    assert split == "all"
    assert notes[0].startswith("only A has 'hotdog, hot dog, red hot': photos of those are left out")


def test_a_folder_that_neither_knows_is_an_error(listing: Listing) -> None:
    with pytest.raises(DatasetError, match="neither bundle has 'macaw'"):
        choose_photos(listing, None, [{"hotdog, hot dog, red hot"}] * 2)


def test_a_test_folder_is_preferred_and_any_split_can_be_asked_for(photos: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        shutil.copytree(photos, tmp_path / split)
    listing = list_photos(tmp_path, min_photos=1)
    for asked, given, count in ((None, "test", 14), ("train", "train", 14), ("all", "all", 28)):
        found, split, notes = choose_photos(listing, asked, [set(OTHERS)] * 2)
        assert (split, len(found), notes) == (given, count, [])
    with pytest.raises(DatasetError, match="no val folder"):
        choose_photos(listing, "val", [set(OTHERS)] * 2)


def test_the_command_from_end_to_end(
    bundles: tuple[Bundle, Bundle], photos: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    page = tmp_path / "page.html"
    done = run_fieldfare("compare", bundles[0].path, bundles[1].path, photos, "--json", "--report", page)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["photos"] == 14
    assert result["b"]["bundle_id"] == bundles[1].bundle_id
    assert "warning: no test folder" in done.stderr
    assert "<img" in page.read_text() or result["paired"]["only_a"] + result["paired"]["only_b"] == 0
    again = run_fieldfare("compare", bundles[0].path, bundles[1].path, photos, "--report", page)
    assert again.returncode == 73
    assert again.stderr.strip().endswith("choose another name or add --overwrite")


def test_an_unreadable_photo_is_named_or_left_out_for_both(
    bundles: tuple[Bundle, Bundle], photos: Path, tmp_path: Path, run_fieldfare: Run
) -> None:
    root = Path(shutil.copytree(photos, tmp_path / "photos"))
    (root / "macaw" / "0.jpg").write_bytes(b"not a photo")
    words = ("compare", bundles[0].path, bundles[0].path, root)
    refused = run_fieldfare(*words)
    assert refused.returncode == 65
    message = refused.stderr.strip().splitlines()[-1]
    assert "macaw/0.jpg" in message
    assert message.endswith("--skip-unreadable")
    done = run_fieldfare(*words, "--skip-unreadable")
    assert done.returncode == 0
    assert done.stdout.startswith("No difference: both are right on the same ")
    assert done.stdout.splitlines()[0].endswith("% of 13 photos.")


def test_near_duplicates_are_counted_in_the_text_and_on_the_page(
    bundles: tuple[Bundle, Bundle], photos: Path, tmp_path: Path, contest: tuple[Comparison, str]
) -> None:
    assert contest[0].near_duplicates == 0
    assert "nearly the same" not in "\n".join(terminal_lines(contest[0])) + contest[1]
    root = Path(shutil.copytree(photos, tmp_path / "photos"))
    for number in range(3):
        shutil.copy(root / "macaw" / "0.jpg", root / "macaw" / f"again{number}.jpg")
    result, shown = compare_bundles((bundles[0], bundles[0]), list_photos(root), load_runtime(), Silent())
    remark = (
        "3 photos of 17 are nearly the same as another, but counted like any other: the difference looks more certain "
        "than it is."
    )
    assert (result.photos, result.near_duplicates) == (17, 3)
    assert terminal_lines(result)[1] == remark
    assert remark in render_comparison(result, shown)


@pytest.mark.parametrize("words", [(), ("--overwrite",)])
def test_a_folder_in_the_place_of_the_page_is_told_before_the_work(
    tmp_path: Path, run_fieldfare: Run, words: tuple[str, ...]
) -> None:
    """The error comes before the bundles are opened, which do not exist."""
    done = run_fieldfare("compare", "a", "b", "photos", "--report", tmp_path, *words)
    assert done.returncode == 73
    assert done.stderr.strip().endswith(
        f"--report {tmp_path}: is a folder: name a file, such as {tmp_path}/comparison.html"
    )


def test_neither_tensorflow_nor_matplotlib_is_needed(bundles: tuple[Bundle, Bundle], photos: Path) -> None:
    words = ["compare", str(bundles[0].path), str(bundles[0].path), str(photos)]
    code = (
        "import sys\n"
        "from edge.cli import cli\n"
        f"cli({words!r}, standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'jinja2', 'sklearn'} & set(sys.modules), 'loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
