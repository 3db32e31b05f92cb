"""Define what a sorting session holds: pictures in groups, and what a person decided on each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# open: nobody decided yet. named: it has a class. out: taken out of its group as an odd one, still to be named.
# skipped: belongs to no class, and is exported to none.
State = Literal["open", "named", "out", "skipped"]
STATES: tuple[State, ...] = ("open", "named", "out", "skipped")
Action = Literal["name", "out", "skip", "reopen", "merge", "split"]
ACTIONS: tuple[Action, ...] = ("name", "out", "skip", "reopen", "merge", "split")


@dataclass(frozen=True, slots=True)
class Found:
    """A picture for a session, from whatever holds it.

    key: its identity, which finds it again at the next start. file: where it is, as bytes, relative to what the
    session is about.
    group: number of its group, from 1. title: of that group, for people. hint: what the picture may show.
    """

    key: bytes
    file: bytes
    group: int
    title: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a session. name: its class if it is named. by, wall_s: who decided, and when; "" and 0 if nobody."""

    number: int
    file: bytes
    group: int
    hint: str
    state: State
    name: str
    by: str
    wall_s: float


@dataclass(frozen=True, slots=True)
class Group:
    """A group. counts: how many of its pictures are in each state. samples: numbers of some pictures, spread over it.

    names: the classes of those that are named, commonest first. hints: what its pictures may show, commonest first.
    """

    number: int
    title: str
    counts: dict[State, int]
    names: Sequence[str]
    hints: Sequence[str]
    samples: Sequence[int]

    @property
    def size(self) -> int:
        """How many pictures it has."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Totals:
    """How many pictures are in each state, how many groups there are, and how many of those have open pictures."""

    counts: dict[State, int]
    groups: int
    open_groups: int

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Part:
    """Some pictures of a session: of a group, of a class, or in a state; all given must hold."""

    group: int | None = None
    name: str | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants done.

    pictures: to which, by number; None: to all open ones of `groups`, and for "merge" to all of them.
    name: the class, for "name". "merge": into the first of the groups. "split": into a group behind the first.
    seen: the last step that the person's page knew of; None: whatever others did meanwhile.
    """

    action: Action
    by: str
    seen: int | None
    pictures: Sequence[int] | None = None
    groups: Sequence[int] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What was done last, and can be taken back. count: of how many pictures."""

    number: int
    action: Action
    name: str
    count: int
