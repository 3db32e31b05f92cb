"""Read what the sorting pages' addresses and forms ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from edge.pages.views.forms import Fields, FormError, first, number, way_back
from edge.sorting.naming import name_problem
from edge.sorting.records import ACTIONS, Action, Change, Part

Kind = Literal["group", "class", "out", "skipped"]
ON_A_SHEET, GROUPS_AT_ONCE = 96, 24


@dataclass(frozen=True, slots=True)
class Sheet:
    """Some pictures on pages: of a group, of a class, taken out, or skipped.

    everything: also those of a group that are decided. page: from 1.
    """

    kind: Kind
    group: int | None = None
    name: str | None = None
    everything: bool = False
    page: int = 1

    @property
    def part(self) -> Part:
        """Its pictures."""
        if self.kind == "group":
            return Part(group=self.group, state=None if self.everything else "open")
        if self.kind == "class":
            return Part(name=self.name)
        return Part(state=self.kind)

    def link(self, *, page: int | None = None, everything: bool | None = None) -> str:
        """Return its address, or that of another page of it."""
        path = f"/sort/groups/{self.group}" if self.kind == "group" else f"/sort/{self.kind}"
        shown, number_ = self.everything if everything is None else everything, self.page if page is None else page
        words = [("name", self.name or "")] if self.kind == "class" else []
        words += [("all", "yes")] if shown else []
        words += [("page", str(number_))] if number_ > 1 else []
        return f"{path}?{urlencode(words)}" if words else path


def sheet_of(kind: Kind, fields: Fields, group: str = "") -> Sheet:
    """Read which sheet is wanted. Raises FormError."""
    return Sheet(
        kind,
        number(group) if kind == "group" else None,
        first(fields, "name") if kind == "class" else None,
        everything=first(fields, "all") == "yes",
        page=page_of(fields),
    )


def page_of(fields: Fields) -> int:
    """Return the page that is wanted, from 1. Raises FormError."""
    return number(first(fields, "page") or "1")


def change_of(fields: Fields, who: str) -> Change:
    """Read what a form wants done. Raises FormError, in words that its person can use."""
    action = _action(fields)
    ticked = [number(text) for text in fields.get("picture", [])]
    groups = [number(text) for text in fields.get("group", [])]
    if not ticked and (action in ("out", "split", "reopen") or not groups):
        raise FormError("nothing is selected: select at least one picture or group")
    if action == "merge" and len(groups) < 2:
        raise FormError("one group only: select at least two to merge")
    return Change(
        action=action,
        by=who,
        seen=None if first(fields, "anyway") == "yes" else _seen(fields),
        pictures=ticked or None,
        groups=groups,
        name=_name(fields) if action == "name" else "",
    )


def _action(fields: Fields) -> Action:
    wanted = first(fields, "do") or "name"
    for action in ACTIONS:
        if action == wanted:
            return action
    raise FormError(f"do {wanted[:40]!r}: must be one of {', '.join(ACTIONS)}")


def _name(fields: Fields) -> str:
    name = first(fields, "class") or first(fields, "name")
    if (problem := name_problem(name)) is not None:
        raise FormError(f"the name {name[:80]!r} {problem}" if name else "the name is empty: write one, then press")
    return name


def _seen(fields: Fields) -> int:
    text = first(fields, "seen")
    return 0 if text == "0" else number(text)


def back_of(fields: Fields) -> str:
    """Return the page that the form was on: one of these, whatever the form claims."""
    path, query = way_back(first(fields, "back"), "/sort")
    return path + (f"?{query}" if query else "")


def suggested(first_ones: Sequence[str], used: Sequence[str], known: Sequence[str], most: int) -> list[str]:
    """Return names to offer, each once: those first, then those in use, then the known ones."""
    return list(dict.fromkeys(name for name in (*first_ones, *used, *known) if name_problem(name) is None))[:most]
