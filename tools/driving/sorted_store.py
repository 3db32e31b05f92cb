"""Sort some of a store's pictures, so that the pages for it have something to show."""

from pathlib import Path

from edge.pages.sorting.desk import session_file
from edge.sorting.records import Action, Change, Part
from edge.sorting.session import Session
from edge.sorting.stored import by_origin, kept_in

_DONE: tuple[Action, ...] = ("skip", "out", "name")


def sort_some(store: Path, name: str = "fox") -> None:
    """Bring the pictures of a store into its session, by label, and decide on the first groups: one is in no class, one
    taken out, one named. Groups that are open are left."""
    with Session(session_file(store)) as session:
        session.add(by_origin(kept_in(store, set()), store.parent))
        groups, _ = session.groups(only_open=True, skip=0, limit=len(_DONE), samples=0)
        for action, group in zip(_DONE, groups, strict=False):
            chosen = [one.number for one in session.pictures(Part(group=group.number), 0, group.size)]
            session.change(Change(action, "ada", None, pictures=chosen, name=name if action == "name" else ""))
