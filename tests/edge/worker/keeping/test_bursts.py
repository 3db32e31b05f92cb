"""Which pictures stand before an event's begin and after its end."""

from edge.config.keeping import Events, Pictures
from edge.worker.keeping import bursts
from edge.worker.keeping.bursts import Bursts
from edge.worker.keeping.jpeg import Jpeg

EVENTS = Events(min_duration_s=1.0, gap_s=2.0)


def burst(pictures: Pictures, times: list[float], events: Events = EVENTS) -> Bursts:
    made = Bursts(pictures, events)
    for time_s in times:
        made.add(Jpeg(b"jpeg", time_s, 8, 6))
    return made


def times(jpegs: tuple[Jpeg, ...]) -> list[float]:
    return [jpeg.captured_mono_s for jpeg in jpegs]


def test_the_last_before_and_the_first_after() -> None:
    made = burst(Pictures(before=2, after=3, burst_every_s=1.0), [1.0, 2.0, 3.0, 4.0, 5.0])
    assert times(made.before(3.0)) == [1.0, 2.0]
    assert times(made.before(3.5)) == [2.0, 3.0]
    assert times(made.after(2.0)) == [3.0, 4.0, 5.0]
    assert times(made.after(4.0)) == [5.0]


def test_no_more_than_is_wanted() -> None:
    made = burst(Pictures(before=0, after=2, burst_every_s=1.0), [1.0, 2.0, 3.0, 4.0])
    assert times(made.before(4.0)) == []
    assert times(made.after(1.0)) == [2.0, 3.0]


def test_what_is_of_another_time_is_not_of_this_event() -> None:
    """A gate was closed for an hour, or the camera failed."""
    made = burst(Pictures(before=2, after=2, burst_every_s=1.0), [1.0, 2.0, 3600.0])
    assert times(made.before(3600.0)) == []
    assert times(made.after(2.5)) == []


def test_it_reaches_back_over_the_time_in_which_begin_and_end_are_found_out() -> None:
    made = burst(Pictures(before=2, after=2, burst_every_s=1.0), [float(second) for second in range(100)])
    assert times(made.before(98.0)) == [96.0, 97.0], "the begin is heard of after min_duration_s"
    assert times(made.after(97.0)) == [98.0, 99.0], "the end is heard of after gap_s"
    assert len(times(made.before(97.0))) == 2
    assert not made.before(80.0), "and not for ever"


def test_its_memory_is_bounded_in_pictures_and_in_bytes() -> None:
    hour = Events(min_duration_s=3600, gap_s=3600)
    made = burst(Pictures(before=20, burst_every_s=0.05), [number / 20 for number in range(1000)], hour)
    assert len(made._kept) == bursts._MOST_PICTURES
    large = Bursts(Pictures(before=20), EVENTS)
    for number in range(12):
        large.add(Jpeg(bytes(4 << 20), number / 2, 8192, 8192))
    assert times(large.before(6.0)) == [4.0, 4.5, 5.0, 5.5]
