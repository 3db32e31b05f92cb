"""Which frames are held, and how many."""

from collections.abc import Mapping

from kept import frame

from edge.records import Frame, Pixels
from edge.results import Box
from edge.worker.keeping.best_frames import MOST_HELD, BestFrames


def update(best: BestFrames, peaks: Mapping[str, float], of: Frame) -> None:
    best.update(peaks, of.image_bgr, of.captured_mono_s)


def left_half(image_bgr: Pixels, box: Box | None) -> Pixels:
    return image_bgr[:, : image_bgr.shape[1] // 2]


def test_the_frame_of_the_peak_is_held_uncopied_and_later_ones_are_not() -> None:
    best = BestFrames(None, max_side=640)
    first, peak, last = frame(1.0), frame(2.0), frame(3.0)
    update(best, {"fox": 1.0}, first)
    update(best, {"fox": 2.0}, peak)
    update(best, {"fox": 2.0}, last)
    still = best.take("fox")
    assert still is not None
    assert still.captured_mono_s == 2.0
    assert still.whole_bgr is peak.image_bgr
    assert best.take("fox") is None


def test_a_label_that_came_to_nothing_is_forgotten() -> None:
    best = BestFrames(None, max_side=640)
    update(best, {"fox": 1.0, "owl": 1.0}, frame(1.0))
    update(best, {"owl": 1.0}, frame(2.0))
    assert len(best) == 1
    assert best.take("fox") is None


def test_no_more_than_a_few_frames_are_held() -> None:
    best = BestFrames(None, max_side=640)
    labels = [f"label {number}" for number in range(MOST_HELD + 3)]
    for number in range(len(labels)):
        update(best, {label: float(place) for place, label in enumerate(labels[: number + 1])}, frame(float(number)))
    assert len(best) == MOST_HELD
    # Those that came first keep their places, and their later peaks.
    update(best, dict.fromkeys(labels, 20.0), frame(20.0))
    still = best.take(labels[0])
    assert still is not None
    assert still.captured_mono_s == 20.0
    assert best.take(labels[-1]) is None


def test_the_part_that_was_classified_is_held_beside_it() -> None:
    best = BestFrames(left_half, max_side=640)
    update(best, {"fox": 1.0}, frame(1.0))
    still = best.take("fox")
    assert still is not None
    assert still.part_bgr is not None
    assert still.part_bgr.shape == (48, 32, 3)


def test_a_part_that_is_all_of_the_frame_is_no_picture_of_its_own() -> None:
    best = BestFrames(lambda image_bgr, box: image_bgr[:], max_side=640)
    update(best, {"fox": 1.0}, frame(1.0))
    still = best.take("fox")
    assert still is not None
    assert still.part_bgr is None


def test_a_large_frame_is_reduced_at_once_and_not_held() -> None:
    best = BestFrames(left_half, max_side=640)
    large = frame(1.0, width=4000, height=3000)
    update(best, {"fox": 1.0}, large)
    still = best.take("fox")
    assert still is not None
    assert still.whole_bgr.shape == (480, 640, 3)
    assert still.part_bgr is not None
    assert still.part_bgr.shape == (640, 427, 3)
    assert still.part_bgr.base is None
