"""Made videos of known visits, and the judge of what is found in them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.bench_events import Verdict, decisions_of, judge
from tools.make_visits import Film, Visit, photos_of

sys.path.append(str(Path(__file__).resolve().parents[1] / "edge"))
tiny_models = pytest.importorskip("tiny_models")

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_visits.py"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for label, colour in (("red", (0, 0, 250)), ("blue", (250, 0, 0))):
        (folder / label).mkdir(parents=True)
        cv2.imwrite(str(folder / label / "one.png"), np.full((48, 64, 3), colour, np.uint8))
    return folder


def test_the_truth_is_what_the_frames_show(photos: Path) -> None:
    film = Film(photos_of(photos), visits=2, seed=1, fps=2.0)
    pictures = list(film.pictures())
    assert len(pictures) == film.frames
    assert sorted(visit.label for visit in film.visits) == ["blue", "red"]
    for visit in film.visits:
        middle = pictures[round(visit.begin_s + visit.end_s)]
        blue, _, red = middle[240, 320].astype(int)
        assert (red > blue + 50) == (visit.label == "red")
    shown = {round(second * 2) for visit in film.visits for second in np.arange(visit.begin_s, visit.end_s + 0.1, 0.5)}
    for number in set(range(film.frames)) - shown:
        assert np.ptp(pictures[number].astype(int).mean((0, 1))) < 60  # no bare red or blue


def test_a_seed_always_makes_the_same_film(photos: Path) -> None:
    one, other = (Film(photos_of(photos), visits=1, seed=3, fps=1.0) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one.pictures(), other.pictures(), strict=True))
    assert one.visits == other.visits


def test_it_writes_a_video_and_its_truth(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "visits.avi"
    words = [sys.executable, TOOL, photos, "--out", out, "--visits", "1", "--fps", "2"]
    subprocess.run(words, check=True, capture_output=True)
    (visit,) = json.loads((tmp_path / "visits.json").read_text())
    assert visit["label"] in ("red", "blue")
    video = cv2.VideoCapture(str(out))
    assert video.get(cv2.CAP_PROP_FPS) == 2
    video.release()


def test_pictures_of_nothing_are_other_scenes(tmp_path: Path) -> None:
    words = [sys.executable, TOOL, "--nothing", tmp_path / "nothing", "--count", "4"]
    subprocess.run(words, check=True, capture_output=True)
    pictures = [cv2.imread(str(path)) for path in sorted((tmp_path / "nothing").iterdir())]
    assert len(pictures) == 4
    assert not any(np.array_equal(pictures[0], other) for other in pictures[1:])


def test_each_visit_needs_an_event_of_its_own_and_the_rest_is_extra() -> None:
    visits = [Visit("owl", "", 1, 3), Visit("owl", "", 8, 9), Visit("wren", "", 12, 14)]
    found = [("owl", 1.5, 2.0), ("owl", 2.2, 2.8), ("wren", 8.1, 8.9), ("wren", 14.3, 15.0)]
    assert judge(found, visits) == Verdict(right=2, extra=2, visits=3)


def test_single_frames_are_joined_while_their_label_stays(tmp_path: Path) -> None:
    from edge.config.loading import settings_from

    bundle = tiny_models.bundle_of(tiny_models.sound_model(), tmp_path / "colours")
    rows = [(0.9, 0, 0), (0.8, 0, 0), (0, 0.9, 0), (0.9, 0, 0)]
    scores = [(float(second), np.array(row, np.float32)) for second, row in enumerate(rows)]
    found = decisions_of(scores, bundle, settings_from({"bundle": "b", "decision": {"background": ["green"]}}))
    assert found == [("red", 0.0, 1.0), ("red", 3.0, 3.0)]
