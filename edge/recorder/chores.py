"""Remember when regular work was done last."""


class Chores:
    """Regular work, by names. The time is passed in, monotonic. Used by one thread."""

    def __init__(self) -> None:
        self._next_s: dict[str, float] = {}

    def is_due(self, name: str, every_s: float, now: float, *, first_s: float = 0.0) -> bool:
        """Return whether it must be done now, which then counts as done. first_s: seconds from the first call until it
        must be done first."""
        due_s = self._next_s.setdefault(name, now + first_s)
        if now < due_s:
            return False
        self._next_s[name] = now + every_s
        return True
