"""Hold what is known of something in view that has not ended: how each label did, from when to when."""

from dataclasses import dataclass, field

from edge.results import Box, Candidate

# Labels of one visit that are distinguished while none is settled. More come from a flicker, not from a scene.
_MOST_LABELS = 4


@dataclass(slots=True)
class Tally:
    """How one label did. Scores are means over time.

    frames, total: the frames that showed it, and the sum of their scores.
    peak: the highest score; peak_mono_s, runner_up, box: at that frame.
    """

    frames: int = 0
    total: float = 0.0
    peak: float = -1.0
    peak_mono_s: float = 0.0
    runner_up: Candidate | None = None
    box: Box | None = None

    def absorb(self, other: "Tally") -> None:
        """Take over what the other has counted."""
        self.frames += other.frames
        self.total += other.total
        if other.peak > self.peak:
            self.peak, self.peak_mono_s = other.peak, other.peak_mono_s
            self.runner_up, self.box = other.runner_up, other.box

    def joined(self, other: "Tally | None") -> "Tally":
        """Return the sum of both, as a new one."""
        both = Tally()
        both.absorb(self)
        if other is not None:
            both.absorb(other)
        return both


@dataclass(slots=True)
class Run:
    """Frames that showed one label and no other.

    first_s, last_s: of its first and last frame, monotonic.
    shown_s: how long it was shown in all: between frames that followed each other.
    """

    label: int
    first_s: float
    last_s: float
    shown_s: float = 0.0
    tally: Tally = field(default_factory=Tally)


class Visit:
    """Something in view. Its last run is kept apart until it is certain that it belongs to it.

    number: of its Sighting, None before it was reported.
    main: the label that is settled, since a run of it was long enough; None if there is none yet.
    run: the last run.
    """

    def __init__(self, run: Run) -> None:
        self.number: int | None = None
        self.main: int | None = None
        self.run = run
        self.reported_s = run.first_s
        self._first_s, self._last_s, self._shown_s = run.first_s, run.first_s, 0.0
        self._tallies: dict[int, Tally] = {}

    @property
    def first_s(self) -> float:
        """Return the time of its first frame."""
        return self._first_s

    @property
    def last_s(self) -> float:
        """Return the time of the last frame that is certain to belong to it."""
        return self.run.last_s if self._run_counts else self._last_s

    @property
    def shown_s(self) -> float:
        """Return for how long in all it was shown: the sum over its runs."""
        return self._shown_s + (self.run.shown_s if self._run_counts else 0.0)

    @property
    def _run_counts(self) -> bool:
        return self.main is None or self.main == self.run.label

    def take_in_run(self, then_s: float = 0.0) -> None:
        """Count the last run as part of this visit, whatever its label. then_s: how long after it the next begins, if
        nothing is in between."""
        self._last_s = self.run.last_s
        self._shown_s += self.run.shown_s + then_s
        # Once a label is settled no other can become this visit's.
        if self._run_counts:
            self._tallies.setdefault(self.run.label, Tally()).absorb(self.run.tally)
            if len(self._tallies) > _MOST_LABELS:
                del self._tallies[min(self._tallies, key=lambda label: self._tallies[label].total)]
        self.run = Run(self.run.label, self.run.last_s, self.run.last_s)

    def settle(self, label: int) -> None:
        """Make `label`, that of the last run, this visit's for good."""
        self.main = label
        self._tallies = {label: self._tallies[label]} if label in self._tallies else {}

    def leader(self) -> tuple[int, Tally]:
        """Return the label of this visit as things stand, with its tally: the settled one, else the one with the most
        evidence, which is the sum of its scores over its frames."""
        tallies = self.candidates()
        label = self.main if self.main is not None else max(tallies, key=lambda label: tallies[label].total)
        return label, tallies[label]

    def candidates(self) -> dict[int, Tally]:
        """Return the tallies of the labels that may become this visit's."""
        tallies = dict(self._tallies)
        if self._run_counts and self.run.tally.frames:
            tallies[self.run.label] = self.run.tally.joined(tallies.get(self.run.label))
        return tallies
