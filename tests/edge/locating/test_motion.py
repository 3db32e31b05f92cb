"""What moves is found, and what does not is not: light, noise and leaves."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_frames import HEIGHT, WIDTH, MadeCamera, Watched, walk

from edge.locating.motion import MotionFinder
from edge.locating.places import Place, overlap
from edge.records import Pixels

SQUARE = Place(140, 90, 180, 130)


@pytest.fixture
def camera() -> MadeCamera:
    return MadeCamera()


@pytest.fixture
def watched(camera: MadeCamera) -> Watched:
    """A finder that knows the scene."""
    watched = Watched()
    assert watched.sees_nothing(camera, 20) == 0
    return watched


class TestWhatMoves:
    def test_is_found_where_it_is(self, camera: MadeCamera, watched: Watched) -> None:
        hits = [any(overlap(one.place, at) >= 0.5 for one in watched.sees(camera.frame(at))) for at in walk(30)]
        assert hits[0] is False, "once is a blip"
        assert all(hits[1:])

    def test_is_new_once(self, camera: MadeCamera, watched: Watched) -> None:
        found = [watched.sees(camera.frame(at)) for at in walk(12)]
        assert [one.is_new for frame in found for one in frame] == [True] + [False] * 10

    def test_goes_on_being_found_while_it_stands_still(self, camera: MadeCamera, watched: Watched) -> None:
        for _ in range(150):
            found = watched.sees(camera.frame(SQUARE))
        assert overlap(found[0].place, SQUARE) >= 0.8

    def test_becomes_background_when_it_has_stood_for_still_s(self, camera: MadeCamera) -> None:
        watched = Watched(still_s=3.0)
        watched.sees_nothing(camera, 20)
        for _ in range(200):
            found = watched.sees(camera.frame(SQUARE))
        assert not found

    def test_leaves_no_box_behind(self, camera: MadeCamera, watched: Watched) -> None:
        for _ in range(30):
            watched.sees(camera.frame(SQUARE))
        assert watched.sees_nothing(camera, 20) <= 2

    def test_that_was_there_from_the_start_leaves_none_for_long(self, camera: MadeCamera) -> None:
        watched = Watched()
        for _ in range(20):
            watched.sees(camera.frame(SQUARE))
        assert watched.sees_nothing(camera, 40) <= 6

    def test_may_be_several_things(self, camera: MadeCamera, watched: Watched) -> None:
        for at in walk(12, top=20):
            found = watched.sees(camera.frame(at, at.shifted(0, 150)))
        assert len(found) == 2

    def test_is_found_in_the_frames_own_pixels_whatever_their_number(self) -> None:
        large = MadeCamera()
        watched = Watched()
        at = Place(100, 60, 140, 100)
        for number in range(25):
            frame = large.frame(at) if number > 20 else large.frame()
            found = watched.sees(cv2.resize(frame, (1280, 960)))
        assert overlap(found[0].place, Place(400, 240, 560, 400)) >= 0.7

    def test_is_found_in_new_light_too(self, camera: MadeCamera, watched: Watched) -> None:
        camera.gain = 0.7
        hits = [any(overlap(one.place, at) >= 0.5 for one in watched.sees(camera.frame(at))) for at in walk(20)]
        assert sum(hits) >= 18

    def test_is_found_before_white_that_a_sensor_clips(self, camera: MadeCamera) -> None:
        camera.scene += 200
        watched = Watched()
        watched.sees_nothing(camera, 20)
        hits = [
            any(overlap(one.place, at) >= 0.5 for one in watched.sees(camera.frame(at, grey=120))) for at in walk(20)
        ]
        assert sum(hits) >= 18

    def test_smaller_than_wanted_is_nothing(self, camera: MadeCamera) -> None:
        watched = Watched(least=0.2)
        watched.sees_nothing(camera, 20)
        assert not any(watched.sees(camera.frame(at)) for at in walk(20, side=30))


def _with(frame: Pixels, at: Place) -> Pixels:
    """Return a frame with a black square."""
    shown = frame.copy()
    shown[at.top : at.bottom, at.left : at.right] = 0
    return shown


class TestNothing:
    @pytest.mark.parametrize("noise", [0.0, 2.0, 12.0])
    def test_is_found_in_the_noise_of_a_sensor(self, noise: float) -> None:
        assert Watched().sees_nothing(MadeCamera(noise=noise), 100) == 0

    @pytest.mark.parametrize("gain", [0.5, 0.75, 1.3])
    def test_is_found_when_the_light_steps(self, camera: MadeCamera, watched: Watched, gain: float) -> None:
        camera.gain = gain
        assert watched.sees_nothing(camera, 30) == 0

    def test_is_found_while_the_exposure_pumps(self, camera: MadeCamera, watched: Watched) -> None:
        found = 0
        for number in range(100):
            camera.gain = 1 + 0.3 * float(np.sin(number / 4))
            found += watched.sees_nothing(camera, 1)
        assert found == 0

    def test_is_found_where_a_sensor_clips_and_the_light_steps(self, camera: MadeCamera) -> None:
        """White paper: under less light it shows what was never seen of it."""
        camera.scene[:, WIDTH // 2 :] += 140
        watched = Watched()
        found = watched.sees_nothing(camera, 20)
        for gain in (0.7, 1.3, 0.8, 1.1, 0.6, 1.0):
            camera.gain = gain
            found += watched.sees_nothing(camera, 10)
        assert found == 0

    def test_is_found_when_the_light_becomes_infrared(self, camera: MadeCamera, watched: Watched) -> None:
        camera.scene = 255 - camera.scene
        assert watched.sees_nothing(camera, 30) == 0

    def test_is_found_in_leaves_that_swing(self, camera: MadeCamera, watched: Watched) -> None:
        camera.sway = 4.0
        assert watched.sees_nothing(camera, 200) == 0

    def test_is_found_in_a_single_frame(self, camera: MadeCamera, watched: Watched) -> None:
        assert not watched.sees(camera.frame(SQUARE))
        assert watched.sees_nothing(camera, 5) == 0

    def test_is_found_when_everything_moves(self) -> None:
        watched = Watched()
        assert sum(bool(watched.sees(MadeCamera(number).frame())) for number in range(30)) == 0

    @pytest.mark.parametrize("deviation", [40.0, 90.0, 200.0])
    def test_is_found_in_pure_noise(self, deviation: float) -> None:
        """Less than half of the pixels need differ for one shape to span the frame."""
        rng, watched = np.random.default_rng(0), Watched()
        frames = (np.clip(rng.normal(128, deviation, (480, 640, 3)), 0, 255).astype(np.uint8) for _ in range(25))
        assert sum(bool(watched.sees(frame)) for frame in frames) == 0

    @pytest.mark.parametrize(("right", "down"), [(7, 13), (40, 0), (0, 100)])
    def test_is_found_in_a_picture_that_rolls(self, right: int, down: int) -> None:
        grain = np.random.default_rng(1).normal(0, 1, (480, 640)).astype(np.float32)
        scene = cv2.normalize(cv2.GaussianBlur(grain, (0, 0), 12), None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
        picture, watched = cv2.merge([scene] * 3), Watched()
        assert sum(bool(watched.sees(np.roll(picture, (n * down, n * right), (0, 1)))) for n in range(60)) == 0

    def test_is_found_that_fills_more_than_half_of_the_frame_even_as_an_outline(
        self, camera: MadeCamera, watched: Watched
    ) -> None:
        """Half of the pixels do not differ, but the shape's box is of more than half."""
        around, hole = Place(20, 10, 300, 230), Place(50, 40, 270, 200)
        found = 0
        for _ in range(10):
            frame = camera.frame(around)
            part = slice(hole.top, hole.bottom), slice(hole.left, hole.right)
            frame[part] = camera.frame()[part]
            found += bool(watched.sees(frame))
        assert found == 0
        # The scene was learned again: what comes next is found before it.
        hits = [bool(watched.sees(_with(frame, at))) for at in walk(20)]
        assert sum(hits) >= 15

    def test_is_found_in_the_first_frame_of_another_size(self, camera: MadeCamera, watched: Watched) -> None:
        assert not watched.sees(cv2.resize(camera.frame(SQUARE), (200, 160)))

    @pytest.mark.parametrize("grey", [0, 255])
    def test_is_found_in_pictures_of_one_colour(self, grey: int) -> None:
        watched = Watched()
        assert not any(watched.sees(np.full((HEIGHT, WIDTH, 3), grey, np.uint8)) for _ in range(10))


def test_the_same_frames_at_the_same_times_give_the_same_boxes() -> None:
    """Replay must show what was live."""
    camera = MadeCamera()
    frames = [camera.frame() for _ in range(10)] + [camera.frame(at) for at in walk(15)]
    one, other = Watched(), Watched()
    assert [one.sees(frame) for frame in frames] == [other.sees(frame) for frame in frames]


def test_frames_are_not_changed(camera: MadeCamera, watched: Watched) -> None:
    frame = camera.frame(SQUARE)
    frame.flags.writeable = False
    watched.sees(frame)


def test_a_clock_that_steps_back_does_no_harm(camera: MadeCamera) -> None:
    finder = MotionFinder(least=0.025, still_s=60.0)
    for number, at in enumerate(walk(20)):
        found = finder.find(camera.frame(*([at] if number > 10 else [])), 50.0 - number)
    assert len(found) <= 1


def test_a_still_scene_takes_no_new_memory(camera: MadeCamera, watched: Watched) -> None:
    frames = [camera.frame() for _ in range(8)]
    for frame in frames:
        watched.sees(frame)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for frame in frames:
        watched.sees(frame)
    grown = sum(entry.size_diff for entry in tracemalloc.take_snapshot().compare_to(before, "filename"))
    tracemalloc.stop()
    assert grown < 20_000  # less than one small picture


@settings(max_examples=60)
@given(
    frames=st.lists(
        arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))), min_size=1, max_size=6
    ),
    times=st.lists(st.floats(0, 1e9), min_size=6, max_size=6),
)
def test_any_frames_give_places_inside_them(frames: list[Pixels], times: list[float]) -> None:
    finder = MotionFinder(least=0.05, still_s=5.0)
    shown = [one for frame in frames for one in (frame, frame, frame[::-1].copy())]
    for frame, second in zip(shown, times * 3, strict=False):
        for found in finder.find(frame, second):
            place = found.place
            assert 0 <= place.left < place.right <= frame.shape[1]
            assert 0 <= place.top < place.bottom <= frame.shape[0]
            assert 0 <= found.score <= 1
