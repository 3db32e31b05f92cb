"""Make a store in which the events of a week wait."""

import random
from pathlib import Path

from edge.events.records import Event
from edge.results import Candidate
from edge.store.writing import StoreWriter

DEVICE = "bench"
LABELS = ("fox", "hare", "badger", "roe deer", "cat")
EVERY_S = 8.64


def make_store(path: Path, events: int) -> None:
    """Write a store as the recorder does, in large groups."""
    draw = random.Random(14)
    with StoreWriter(path) as store:
        for start in range(1, events + 1, 5000):
            numbers = range(start, min(start + 5000, events + 1))
            store.add_events([(event(number, draw), *times(number), "ntp", ()) for number in numbers])


def times(number: int) -> tuple[float, float]:
    end_s = 1_790_000_000 + number * EVERY_S
    return end_s - 3, end_s


def event(number: int, draw: random.Random) -> Event:
    end_s = number * EVERY_S
    return Event(
        device=DEVICE,
        boot="5d1f0c4e-6c43-4f0e-9e0b-2f1f7a8f3f52",
        sequence=round(end_s * 1000),
        label=draw.choice(LABELS),
        begin_mono_s=end_s - 3,
        end_mono_s=end_s,
        peak=draw.uniform(0.6, 1),
        peak_mono_s=end_s - 1,
        mean=0.6,
        frames=30,
        engine="litert on 2 threads",
        bundle="0123456789ab",
        camera="picamera2",
        runner_up=Candidate(label="dog", score=0.1),
        temperature_c=48.5,
    )
