"""Let a store's pages teach: a bundle that knows three of its labels, marked events, and a taught bundle that waits."""

import sys
from collections import Counter
from pathlib import Path

import msgspec

from edge.bundle.store import Bundle, open_bundle
from edge.bundle.write import save, seal
from edge.importing.importer import Question, Told, import_model
from edge.pages.places import keep_private, make_folder
from edge.pages.views.teaching import figures_of, place_of
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark
from edge.teaching.beside import TAUGHT_FROM
from edge.teaching.verdict import Row, Verdict
from tools.driving.served import ROOT

_KNOWN = 3
_NEW, _OFTEN, _MARKED_S = "hedgehog", 7, 1_777_700_010.0


def make_teachable(store: Path) -> Path:
    """Mark the older half of the events, and write a bundle that knows the three most frequent of their labels.

    Returns the bundle. Its model sees the mean colour of a picture, no more."""
    with StoreReader(store) as reader:
        found = [one for one in reader.events(Filter(checked=False), newest_first=False) if one.label != "unknown"]
    older = found[: len(found) // 2]
    known = [label for label, _ in Counter(one.label for one in older).most_common(_KNOWN)]
    hedgehogs = [one for one in older if one.label not in known][:_OFTEN]
    others = [one for one in older if one not in hedgehogs]
    orders = [(others, Mark(verdict="right", wall_s=_MARKED_S))]
    orders.append((hedgehogs, Mark(verdict="other", label=_NEW, by="ada", wall_s=_MARKED_S)))
    carry_out(store, [MarkEvents(tuple(one.number for one in some), mark) for some, mark in orders])
    bundle = store.with_name("animals")
    save(_bundle(bundle, known))
    return bundle


def leave_taught(store: Path, bundle: Path, odd: str = "") -> None:
    """Leave a taught bundle with its figures in the pages' folder, as if the pages had taught `bundle`.

    odd: one more class in its figures. They are made up."""
    old = open_bundle(bundle)
    rows = [
        Row(label, new=False, photos=9, remembered=64, before=0.922, after=0.906, named=0.672) for label in old.labels
    ]
    rows.append(Row(_NEW, new=True, photos=_OFTEN, remembered=0, before=None, after=0.625, named=0.5))
    rows += [Row(odd, new=True, photos=20, remembered=0, before=None, after=0.75, named=None)] if odd else []
    hints = (f"{_NEW} is found in 62% of its photos: more of it, of other moments, would help",)
    summary = "known classes 92.2% before, 90.6% after; new ones 62.5%"
    shares = {"known_before": 0.922, "known_after": 0.906, "new": 0.625}
    verdict = Verdict(better=True, summary=summary, hints=hints, rows=tuple(rows), **shares)
    note = f"{TAUGHT_FROM}{old.bundle_id}: photos of {_NEW} ({_OFTEN}); {summary}"
    origin = msgspec.structs.replace(old.manifest.origin, notes=(note,))
    files = {name: data for name, data in old.contents.items() if not name.startswith("manifest.")}
    make_folder(place_of(store).parent)
    new = seal(place_of(store), msgspec.structs.replace(old.manifest, origin=origin), files)
    save(new)
    keep_private(figures_of(store), msgspec.json.encode({"bundle": new.bundle_id, "verdict": verdict}))


def settings_of(store: Path, bundle: Path) -> Path:
    """Write settings that name both. Returns their file."""
    file = store.with_name("fieldfare.toml")
    file.write_text(f'bundle = "{bundle}"\n[events]\nstore = "{store}"\n')
    return file


def _bundle(out: Path, labels: list[str]) -> Bundle:
    sys.path.append(str(ROOT / "tests" / "edge"))  # no package
    from handmade_models import classifier

    model, names = out.with_suffix(".tflite"), out.with_suffix(".txt")
    model.write_bytes(classifier())
    names.write_text("".join(f"{label}\n" for label in labels))
    told = Told(labels=names, normalize=((127.5,) * 3, (127.5,) * 3), channel_order="rgb", resize="squash")
    return import_model(model, out, told, _no_questions)


def _no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")
