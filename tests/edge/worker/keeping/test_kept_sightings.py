"""From what a detector finds to messages with pictures, in their order."""

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from kept import Outbox, ScriptedDetector, frame, prepared, sighting
from scripted import wait_until

from edge.config.keeping import Events, Pictures
from edge.preprocess import cut_region
from edge.processes.messages import Sighted
from edge.records import Frame, Pixels, Scores
from edge.results import Box, Decision
from edge.worker.keeping import sightings as module
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.bursts import Bursts
from edge.worker.keeping.jpeg import JpegEncoder
from edge.worker.keeping.keeper import Keeper
from edge.worker.keeping.sending import PictureSender
from edge.worker.keeping.sightings import Sightings

SCORES = Scores(np.array([0.9, 0.1], np.float32))
DECISION = Decision("fox", 0.9, ())
Part = Callable[[Pixels, Box | None], Pixels]


class Stage:
    """A keeper with a scripted detector, before an outbox."""

    def __init__(self, pictures: Pictures, part: Part) -> None:
        self.outbox, self.detector, self.decision = Outbox(), ScriptedDetector(), DECISION
        self.thread = BackgroundThread("keep")
        encoder = JpegEncoder(max_side=pictures.max_side, quality=pictures.quality)
        bursts = Bursts(pictures, Events()) if pictures.before or pictures.after else None
        sender = PictureSender(self.outbox.send, encoder, pictures, bursts)
        kept = Sightings(self.detector, self.outbox.send, sender, self.thread, pictures, part)  # type: ignore[arg-type]
        self.keeper = Keeper(self.thread, sightings=kept, harvester=None, scores=None)

    def sees(self, of: Frame, *answers: object, **peaks: float) -> None:
        """One frame, to which the detector gives these answers, with these peaks in view."""
        self.detector.answers, self.detector.peaks = list(answers), peaks  # type: ignore[arg-type]
        self.keeper.look(prepared(of), SCORES, self.decision)

    def settle(self) -> None:
        assert wait_until(lambda: self.thread.waiting == 0, 10)


Start = Callable[..., Stage]


@pytest.fixture
def start() -> Iterator[Start]:
    stages: list[Stage] = []

    def begin(part: Part = lambda image_bgr, box: image_bgr, **pictures: object) -> Stage:
        stages.append(Stage(Pictures(**pictures), part))  # type: ignore[arg-type]
        return stages[-1]

    yield begin
    for stage in stages:
        stage.keeper.close()


def test_a_sighting_is_sent_as_it_begins_and_goes_on_and_with_its_best_frame_when_it_ends(start: Start) -> None:
    stage = start()
    begun, going = sighting(), sighting(end_mono_s=11.0, peak_mono_s=11.0)
    stage.sees(frame(10.0, grey=20), begun, fox=10.0)
    stage.sees(frame(11.0, grey=200), going, fox=11.0)
    assert stage.outbox.all(Sighted) == [Sighted(begun), Sighted(going)], "at once"
    stage.sees(frame(14.0, grey=90), sighting(peak_mono_s=11.0, ended=True))
    stage.settle()
    [(info, image)] = stage.outbox.pictures()
    assert (info.kind, info.captured_mono_s, info.width, info.height) == ("best", 11.0, 64, 48)
    assert abs(int(image.mean()) - 200) < 3


def test_the_best_frame_may_be_older_than_the_begin_of_the_sighting_was_known(start: Start) -> None:
    stage = start()
    stage.sees(frame(10.0, grey=200), fox=10.0)
    stage.sees(frame(10.5, grey=20), sighting(), fox=10.0)
    stage.sees(frame(14.0), sighting(ended=True))
    stage.settle()
    [(info, _)] = stage.outbox.pictures()
    assert info.captured_mono_s == 10.0


def test_a_label_that_ends_and_begins_again_in_one_frame_has_both_pictures(start: Start) -> None:
    stage = start()
    stage.sees(frame(10.0, grey=20), sighting(1), fox=10.0)
    stage.sees(frame(20.0, grey=200), sighting(1, ended=True), sighting(2, begin_mono_s=20.0), fox=20.0)
    stage.settle()
    assert stage.outbox.pictures()[0][0].captured_mono_s == 10.0
    stage.detector.at_close = [sighting(2, ended=True, begin_mono_s=20.0)]
    stage.keeper.close()
    assert stage.outbox.pictures()[0][0].captured_mono_s == 20.0


def test_the_part_that_was_classified_is_a_picture_of_its_own(start: Start) -> None:
    stage = start(lambda image_bgr, box: image_bgr[:, 16:48], crop=True)
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    assert [(info.kind, info.width, info.height) for info, _ in stage.outbox.pictures()] == [
        ("best", 64, 48),
        ("crop", 32, 48),
    ]


def test_what_was_cut_out_around_the_box_of_the_peak_is_one_too(start: Start) -> None:
    stage = start(
        lambda image_bgr, box: image_bgr if box is None else cut_region(image_bgr, box), crop=True, best=False
    )
    stage.decision = Decision("fox", 0.9, (), box=(0.5, 0.5, 0.25, 0.5))
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.decision = Decision("fox", 0.7, (), box=(0.0, 0.0, 0.5, 0.5))
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    assert [(info.kind, info.width, info.height) for info, _ in stage.outbox.pictures()] == [("crop", 16, 24)]


def test_without_pictures_nothing_is_held_or_encoded(start: Start) -> None:
    stage = start(best=False)
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    assert stage.outbox.all(Sighted)[-1] == Sighted(sighting(ended=True))
    assert stage.keeper._sightings is not None
    assert stage.keeper._sightings._best is None


def sees_a_second(stage: Stage, at_s: float, *answers: object, **peaks: float) -> None:
    """Two frames of a second; the burst takes each."""
    stage.sees(frame(at_s), *answers, **peaks)
    stage.settle()
    stage.sees(frame(at_s + 0.5), **peaks)
    stage.settle()


def test_a_burst_stands_before_the_begin_and_after_the_end(start: Start) -> None:
    stage = start(before=2, after=3, burst_every_s=0.5)
    for second in (7.0, 8.0, 9.0):
        sees_a_second(stage, second)
    sees_a_second(stage, 10.0, fox=10.0)
    sees_a_second(stage, 11.0, sighting(), fox=10.0)
    sees_a_second(stage, 12.0, sighting(end_mono_s=11.5, ended=True))
    assert not stage.outbox.ended(), "there are two pictures after the end, and three are wanted"
    sees_a_second(stage, 13.0)
    assert [(info.kind, info.captured_mono_s) for info, _ in stage.outbox.pictures()] == [
        ("best", 10.0),
        ("before", 9.0),
        ("before", 9.5),
        ("after", 12.0),
        ("after", 12.5),
        ("after", 13.0),
    ]


def test_frames_between_those_of_a_burst_are_left_out(start: Start) -> None:
    stage = start(before=20, burst_every_s=1.0)
    for number in range(40):
        stage.sees(frame(number / 10))
        stage.settle()
    stage.sees(frame(10.0), sighting(begin_mono_s=4.0))
    stage.sees(frame(13.0), sighting(begin_mono_s=4.0, ended=True))
    stage.settle()
    assert [info.captured_mono_s for info, _ in stage.outbox.pictures()] == [0.0, 1.0, 2.0, 3.0]


def test_pictures_that_do_not_come_are_not_waited_for(start: Start) -> None:
    """A gate turns all away, or the camera failed."""
    stage = start(after=2, burst_every_s=0.5)
    sees_a_second(stage, 10.0, sighting(), fox=10.0)
    stage.detector.answers = [sighting(ended=True, end_mono_s=10.2)]
    stage.keeper.pulse(12.0, quiet=True)
    stage.settle()
    assert not stage.outbox.ended()
    stage.keeper.pulse(12.3, quiet=True)
    stage.settle()
    assert [(info.kind, info.captured_mono_s) for info, _ in stage.outbox.pictures()] == [
        ("best", 10.0),
        ("after", 10.5),
    ]


def test_what_is_open_is_sent_at_the_end_and_what_waits_too(start: Start) -> None:
    stage = start(after=2)
    stage.sees(frame(10.0), sighting(1), sighting(2, "owl"), fox=10.0, owl=10.0)
    stage.sees(frame(10.1), sighting(1, ended=True), owl=10.0)
    stage.detector.at_close = [sighting(2, "owl", ended=True)]
    stage.keeper.close()
    assert [(ended.number, ended.label) for ended in stage.outbox.ended()] == [(1, "fox"), (2, "owl")]
    assert all(message.pictures for message in stage.outbox.all(Sighted) if message.sighting.ended)
    stage.keeper.close()
    assert len(stage.outbox.ended()) == 2, "and no more at a second call"


def test_the_detector_hears_of_quiet_times_only(start: Start) -> None:
    """While a frame is in inference it may be one that a sighting goes on with."""
    stage = start()
    stage.keeper.pulse(20.0, quiet=False)
    assert stage.detector.idled == []
    stage.keeper.pulse(20.5, quiet=True)
    assert stage.detector.idled == [pytest.approx(20.25)]


def test_what_ended_is_never_sent_before_what_it_began_with(start: Start) -> None:
    stage = start(before=1, after=1, burst_every_s=0.05)
    for number in range(1, 30):
        at_s = 10.0 * number
        stage.sees(frame(at_s), sighting(number, begin_mono_s=at_s), fox=at_s)
        stage.sees(frame(at_s + 5), sighting(number, begin_mono_s=at_s, ended=True))
    stage.keeper.close()
    states: dict[int, list[bool]] = {}
    for message in stage.outbox.all(Sighted):
        states.setdefault(message.sighting.number, []).append(message.sighting.ended)
    assert states == {number: [False, True] for number in range(1, 30)}


def test_with_too_much_waiting_events_are_kept_and_pictures_are_not(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OVERLOADED", -1)
    stage = start()
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    assert stage.outbox.all(Sighted)[-1] == Sighted(sighting(ended=True))


def test_an_event_whose_files_cannot_be_sent_is_sent_without(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    stage = start()

    def breaks(files: Sequence[int]) -> None:
        if files:
            raise OSError(errno.ETOOMANYREFS, "Too many references")

    stage.outbox.breaks = breaks
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    assert stage.outbox.all(Sighted)[-1] == Sighted(sighting(ended=True))
    assert "pictures were not sent" in caplog.text


def test_a_supervisor_that_is_gone_is_no_error_of_the_thread(start: Start) -> None:
    stage = start()

    def breaks(files: Sequence[int]) -> None:
        if files:
            raise BrokenPipeError

    stage.outbox.breaks = breaks
    stage.sees(frame(10.0), sighting(), fox=10.0)
    stage.sees(frame(13.0), sighting(ended=True))
    stage.settle()
    stage.keeper.pulse(14.0, quiet=True)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_stays_open(start: Start) -> None:
    stage = start()
    before = open_files()
    for number in range(1, 20):
        stage.sees(frame(10.0 * number), sighting(number), fox=10.0 * number)
        stage.sees(frame(10.0 * number + 5), sighting(number, ended=True))
    stage.settle()
    assert len(stage.outbox.ended()) == 19
    assert open_files() == before


def test_an_unforeseen_error_of_the_thread_ends_the_worker(start: Start) -> None:
    stage = start()

    def fail() -> None:
        raise ZeroDivisionError("unforeseen")

    stage.thread.give(fail)
    assert wait_until(lambda: stage.thread._failure is not None, 10)
    with pytest.raises(ZeroDivisionError, match="unforeseen"):
        stage.keeper.pulse(1.0, quiet=True)
