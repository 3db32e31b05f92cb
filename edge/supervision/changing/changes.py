"""Compare settings with those in use: what is another, which process it concerns, and what only a restart can apply.
Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from edge.config.settings import Settings

# Which sections a process works by. What is in none of these is the supervisor's alone: [load], [recovery], [output];
# [pages] is read by a service of its own when it starts.
_OF_WORKER = frozenset(("bundle", "camera", "locate", "engine", "decision", "events", "pictures", "harvest"))
_OF_RECORDER = frozenset(("events", "pictures", "harvest", "device"))
_OF_OUTPUTS = frozenset(("events", "device", "mqtt", "metrics", "event_lines", "hook", "gpio", "led"))


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of the sections that differ. bundle: whether the bundle does, under the same name or another."""

    sections: frozenset[str]
    bundle: bool

    @property
    def any(self) -> bool:
        """Whether there is anything to apply."""
        return self.bundle or bool(self.sections)

    @property
    def worker(self) -> bool:
        """Whether it takes another worker."""
        return self.bundle or bool(self.sections & _OF_WORKER)

    @property
    def recorder(self) -> bool:
        """Whether it takes another recorder."""
        return bool(self.sections & _OF_RECORDER)

    @property
    def outputs(self) -> bool:
        """Whether it takes other outputs."""
        return bool(self.sections & _OF_OUTPUTS)

    @property
    def words(self) -> str:
        """What is another, for people."""
        if not self.any:
            return "nothing has changed"
        names = sorted(name if name == "bundle" else f"[{name}]" for name in self.sections)
        return ", ".join(["bundle", *names] if self.bundle and "bundle" not in names else names)


def changes_of(old: Settings, new: Settings, *, bundle: bool) -> Changes:
    """Compare them. bundle: whether the bundle's content is another one."""
    names = [field.name for field in msgspec.structs.fields(Settings)]
    return Changes(frozenset(name for name in names if getattr(old, name) != getattr(new, name)), bundle)


def needs_restart(old: Settings, new: Settings) -> Iterator[str]:
    """Yield what cannot be applied to a running service, a line each."""
    if old.events.store is not None and new.events.store is None:
        yield "events.store is taken out: events may still wait for it"
    if not (old.camera.endless and new.camera.endless):
        yield "camera.source is a recording, which would begin anew"
