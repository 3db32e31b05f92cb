"""Complete a worker's sightings to events, and end those that a lost worker leaves open. Pure."""

from typing import Any

import msgspec

from edge.config import keeping
from edge.events.records import Event, Sighting
from edge.processes.messages import Started

# A detector holds at most one open sighting for each label in view. If there are more than this, they were never ended.
_MOST_OPEN = 1000


class Sightings:
    """The sightings of one worker after another. Used by one thread.

    A sighting is known by its number, which counts anew in each worker's life: call `worker_ended` between two.
    """

    def __init__(self, device: keeping.Device, source: str, name: str, boot: str) -> None:
        """source: what the camera is called if the settings do not name it. name, boot: as device, boot in Event."""
        self._boot = boot
        self._sequence = 0
        self._open: dict[int, Event] = {}
        self.describe(device, source, name)

    def describe(self, device: keeping.Device, source: str, name: str) -> None:
        """Give the events from now on these descriptions. source, name: as for a new one."""
        self._name = name
        self._camera = device.camera or source
        self._place = (device.latitude, device.longitude)

    def events(self, sighting: Sighting, worker: Started, temperature_c: float | None, now: float) -> list[Event]:
        """Return the event of this sighting, the last one, and before it the one that had to end to make room.

        temperature_c: of the board, now. now: monotonic seconds.
        """
        known = self._open.pop(sighting.number, None)
        if known is None:
            event = self._completed(sighting, worker, self._next(now), temperature_c)
        else:
            event = self._completed(sighting, worker, known.sequence, known.temperature_c)
        if sighting.ended:
            return [event]
        self._open[sighting.number] = event
        ended = [self._end(next(iter(self._open)))] if len(self._open) > _MOST_OPEN else []
        return [*ended, event]

    def end(self, number: int) -> list[Event]:
        """End one, if it is open, with what was last heard of it."""
        return [self._end(number)] if number in self._open else []

    def worker_ended(self) -> list[Event]:
        """End what is open, with what was last heard of it."""
        return [self._end(number) for number in list(self._open)]

    def _next(self, now: float) -> int:
        # Milliseconds outrun events, which never come a thousand a second for long. So a supervisor that is started
        # again in the same boot begins after all that its predecessor gave.
        self._sequence = max(self._sequence + 1, int(now * 1000))
        return self._sequence

    def _end(self, number: int) -> Event:
        return msgspec.structs.replace(self._open.pop(number), ended=True)

    def _completed(self, sighting: Sighting, worker: Started, sequence: int, temperature_c: float | None) -> Event:
        seen: dict[str, Any] = msgspec.structs.asdict(sighting)
        del seen["number"]
        return Event(
            **seen,
            device=self._name,
            boot=self._boot,
            sequence=sequence,
            engine=worker.engine,
            fallback=worker.fallback,
            bundle=worker.bundle,
            camera=self._camera,
            temperature_c=temperature_c,
            latitude=self._place[0],
            longitude=self._place[1],
        )
