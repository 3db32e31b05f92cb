"""Compare the labels that settings name with those that the bundle has."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from edge.bundle.labels import is_unknown, label_fix, label_problem
from edge.config.faults import shown
from edge.config.running import Decisions
from edge.config.settings import Settings
from edge.errors import ConfigError
from edge.results import UNKNOWN

# How people call the class of photos with nothing on them.
_BACKGROUND = frozenset(("background", "blank", "empty", "nothing", "none"))
# Keys that choose among events.
_OF_EVENTS = ("hook.", "gpio.")
_MOST_LISTED = 20
# The nearest of 10,000 labels is found in 0.05 s on an x86-64 core, that of 100,000 in 0.24 s; on a Pi it takes longer.
_MOST_COMPARED = 10_000


def background_of(labels: Sequence[str], given: Sequence[str] | None) -> frozenset[str]:
    """Return the labels that stand for nothing at all.

    given: as decision.background; None: those labels whose name is a usual one, in capitals or not.
    """
    if given is not None:
        return frozenset(given)
    return frozenset(label for label in labels if label.casefold() in _BACKGROUND)


def thresholds_of(labels: Sequence[str], decision: Decisions, of_bundle: Sequence[float]) -> tuple[float, ...]:
    """Return the threshold of each label: its own, else that of all, else the bundle's.

    of_bundle: one for each label.
    """
    common = decision.threshold
    usual = of_bundle if common is None else [common] * len(labels)
    return tuple(decision.thresholds.get(label, of_label) for label, of_label in zip(labels, usual, strict=True))


def labels_named(settings: Settings) -> dict[str, list[str]]:
    """Return the labels that the settings name, by the key that names them."""
    named: dict[str, Iterable[str]] = {
        "decision.thresholds": settings.decision.thresholds,
        "decision.background": settings.decision.background or (),
        "hook.labels": settings.hook.labels if settings.hook else (),
        "gpio.labels": settings.gpio.labels if settings.gpio else (),
    }
    # An event may also be called "unknown", if there are such events: that is no label of the bundle.
    unknown = {UNKNOWN} if settings.events.unknown else set()
    return {
        key: [name for name in names if not (key.startswith(_OF_EVENTS) and name in unknown)]
        for key, names in named.items()
    }


def check_labels(settings: Settings, labels: Sequence[str]) -> None:
    """Raise ConfigError, which lists all of them, if the settings name labels that the bundle does not have."""
    check_named(labels_named(settings), labels)


def check_named(named: Mapping[str, Sequence[str]], labels: Sequence[str]) -> None:
    """Raise ConfigError as check_labels does. named: as from labels_named."""
    known = set(labels)
    wrong = [(key, name) for key, names in named.items() for name in names if name not in known]
    if not wrong:
        return
    lines = [f"{key}: {shown(name)}: {_hint(name, labels)}" for key, name in wrong[:_MOST_LISTED]]
    if len(wrong) == 1:
        raise ConfigError(lines[0])
    if len(wrong) > _MOST_LISTED:
        lines.append(f"and {len(wrong) - _MOST_LISTED} more")
    raise ConfigError(f"{len(wrong)} labels in the settings are not in the bundle:", lines)


def _hint(name: str, labels: Sequence[str]) -> str:
    if name == UNKNOWN:
        return "no label of the bundle; events are called so only with events.unknown = true"
    near = nearest_label(name, labels)
    return (
        f"the bundle has no such label: {f'did you mean {near!r}?' if near else '`fieldfare bundle show` lists them'}"
    )


def mark_problem(label: str) -> str | None:
    """Return why a person may not give an event this label, and what to do; None if they may.

    It may be that of a class, which `fieldfare export --format folders` makes of it, or the one for what nobody
    recognizes.
    """
    problem = None if label == UNKNOWN else label_problem(label)
    if problem is None:
        return None
    fix = f"mark it {UNKNOWN}, or choose another name" if is_unknown(label) else label_fix(label)
    return f"{problem}: {fix}"


def nearest_label(name: str, labels: Sequence[str], likeness: float = 0.6) -> str | None:
    """Return the label that is spelled most like `name`; None if none is, or there are too many to compare.

    likeness: how much of it must be the same, 0 to 1, as difflib counts.
    """
    if len(labels) > _MOST_COMPARED:
        return None
    folded = {label.casefold(): label for label in labels}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None
