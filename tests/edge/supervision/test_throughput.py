"""What a run did, in numbers that can be checked by hand."""

import msgspec
import pytest

from edge.results import Latency, Result
from edge.supervision import throughput as tally_module
from edge.supervision.status import begin
from edge.supervision.throughput import Publisher, Tally

RESULT = Result(0, "owl", 1.0, (), 0.0, 0.0, Latency(0, 0, 0, 0, 5.0), "cpu", "abc", 0)


class Clock:
    """Stands in for `time`."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tally_module, "time", clock)
    return clock


def result(total_ms: float) -> Result:
    return msgspec.structs.replace(RESULT, latency_ms=Latency(0, 0, 0, 0, total_ms))


def test_without_a_result_it_says_so(clock: Clock) -> None:
    assert Tally().line(0) == "no frame was classified"
    assert Tally().fps == 0
    assert Tally().recent_fps() == 0


def test_one_result_has_no_rate(clock: Clock) -> None:
    tally = Tally()
    tally.add(result(5.0))
    assert (tally.results, tally.fps) == (1, 0.0)


def test_rate_and_percentiles_of_a_hundred_results(clock: Clock) -> None:
    tally = Tally()
    for number in range(100):
        clock.now_s = 1000.0 + number / 20
        tally.add(result(float(number)))
    assert tally.fps == pytest.approx(20.0)
    assert tally.line(3) == (
        "100 frames classified, 20.0 frames/s, latency capture to decision median 50.0 ms, p95 95.0 ms, "
        "p99 99.0 ms, 3 dropped"
    )


def test_the_recent_rate_forgets_what_was_more_than_ten_seconds_ago(clock: Clock) -> None:
    tally, rates = Tally(), []
    for second in range(60):
        clock.now_s = 1000.0 + second
        rates.append(tally.recent_fps())
        for _ in range(30 if second < 20 else 10):
            tally.add(result(1.0))
    assert rates[20] == pytest.approx(30.0)
    assert rates[40] == pytest.approx(10.0)


def test_the_recent_rate_falls_to_nothing_when_nothing_comes(clock: Clock) -> None:
    tally = Tally()
    tally.recent_fps()
    for _ in range(100):
        tally.add(result(1.0))
    clock.now_s += 2.0
    assert tally.recent_fps() == 50.0
    for _ in range(20):
        clock.now_s += 2.0
        last = tally.recent_fps()
    assert last == 0.0


class Memory:
    def __init__(self) -> None:
        self.results: list[Result] = []
        self.fault: str | None = None

    def write(self, result: Result) -> None:
        self.results.append(result)

    def close(self) -> None: ...


def test_a_result_goes_to_every_sink_and_into_the_status(clock: Clock) -> None:
    status, sinks = begin(), [Memory(), Memory()]
    publisher = Publisher(sinks, status, None)
    publisher.publish(RESULT)
    assert [sink.results for sink in sinks] == [[RESULT], [RESULT]]
    assert (publisher.tally.results, status.counts.results) == (1, 1)
    assert status.last is not None
    assert (status.last.label, status.last.score) == ("owl", 1.0)


def test_it_has_enough_after_as_many_results_as_requested(clock: Clock) -> None:
    endless, two = (Publisher([], begin(), most) for most in (None, 2))
    seen = []
    for _ in range(2):
        for publisher in (endless, two):
            publisher.publish(RESULT)
        seen.append((endless.has_enough(), two.has_enough()))
    assert seen == [(False, False), (False, True)]
