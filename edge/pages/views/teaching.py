"""Teach the camera's bundle from marked events: in a process of its own, to a place beside, and show what came of it.

What runs is fixed words and the places in the settings. The taught bundle is written into the pages' own folder, and
only a command of the device's owner brings it into its place.
"""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.decoding import DecodingError, decode_json
from edge.errors import FieldfareError, StorageError
from edge.pages.errands.errands import Ended
from edge.pages.places import folder_of, keep_private, make_folder
from edge.pages.rendering import lasted, page, refusal
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.storage import read_bounded

# Loaded when the page is first opened: it brings NumPy, 9 MB that pages without it do not take.
if TYPE_CHECKING:
    from edge.teaching.prospect import Prospect, Pupil
    from edge.teaching.verdict import Verdict

_LONGEST_S = 3 * 3600.0
# What 200 pictures take with 1,280 features and 1,001 classes; 150 MB of it become real, with three classes 40 MB.
_MEMORY = 240 << 20
_MOST_PICTURES = 200
_MOST_ROWS = 200
_MOST_NOTES = 20
_BUNDLE, _FIGURES, _MOST_FIGURES = "taught.fieldfare", "taught.json", 1 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last teaching ended. verdict: its figures, None if it came to none. why: in words, without them."""

    bundle: str | None
    verdict: "Verdict | None"
    why: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A taught bundle beside the store. state: "waiting" to be taken, "taken", or "stale": another one is in the place.
    verdict: its figures; None if they were not kept."""

    pupil: "Pupil"
    state: str
    verdict: "Verdict | None"


def teach_view(site: Site, _request: Request) -> Response:
    """Answer with what could be taught, how the last teaching ended, and what waits to be taken."""
    words = texts().teach
    running = site.errands.running()
    if running is not None and running.name == words.errand:
        return page("teaching.html", "status", site, running=running)
    pupil, why = _pupil(site)
    prospect = _prospect(site, pupil)
    ended = site.errands.ended(words.errand)
    bundle = _bundle_of(site)
    return page(
        "teach.html",
        "status",
        site,
        running=running,
        pupil=pupil,
        prospect=prospect,
        fault=why or prospect.fault,
        most_rows=_MOST_ROWS,
        most_pictures=_MOST_PICTURES,
        ended=ended,
        outcome=None if ended is None else _outcome(ended),
        notes=[] if ended is None else ended.lines[-_MOST_NOTES:],
        waiting=_waiting(site, pupil),
        damaged=place_of(site.store).exists() and _taught(site) is None,
        commands=None if bundle is None else _commands(site, bundle),
    )


def begin_view(site: Site, _request: Request) -> Response:
    """Begin to teach. Nothing of the form reaches the command. Raises BusyError if another errand goes on."""
    site.errands.refuse_second()
    pupil, why = _pupil(site)
    fault = why or _prospect(site, pupil).fault
    bundle = _bundle_of(site)
    if fault is not None or bundle is None:
        return refusal(409, "not_taught", detail=fault or texts().teach.no_settings)
    make_folder(folder_of(site.store))
    _sweep(site)
    words = [
        "teach",
        "--bundle",
        str(bundle),
        "--store",
        str(site.store.absolute()),
        "--out",
        str(place_of(site.store)),
    ]
    words += ["--overwrite", "--leave-out-few", "--most", str(_MOST_PICTURES), "--json"]
    site.errands.begin(texts().teach.errand, words, _LONGEST_S, memory=_MEMORY, then=partial(_keep, site))
    return RedirectResponse("/teach", 303)


def _bundle_of(site: Site) -> Path | None:
    """Return the camera's bundle; None if it is not known."""
    try:
        bundle = site.bundle()
    except FieldfareError:  # _pupil has its words
        return None
    return None if bundle is None else bundle.absolute()


def _pupil(site: Site) -> "tuple[Pupil | None, str | None]":
    """Return the camera's bundle, or in words why there is none to teach."""
    from edge.teaching.prospect import seen_or_why

    try:
        bundle = site.bundle()
    except FieldfareError as error:
        return None, str(error)
    return (None, texts().teach.no_settings) if bundle is None else seen_or_why(bundle.absolute())


def _prospect(site: Site, pupil: "Pupil | None") -> "Prospect":
    from edge.teaching.prospect import count_marks

    return count_marks(site.store, pupil)


def place_of(store: Path) -> Path:
    """Return where a taught bundle is written: in the pages' own folder, whatever a browser sends."""
    return folder_of(store).absolute() / _BUNDLE


def figures_of(store: Path) -> Path:
    """Return where its figures are kept."""
    return folder_of(store) / _FIGURES


def _taught(site: Site) -> "Pupil | None":
    from edge.teaching.prospect import seen_or_why

    return seen_or_why(place_of(site.store))[0]


def _waiting(site: Site, pupil: "Pupil | None") -> Waiting | None:
    """Return the taught bundle that is there, if it is whole."""
    taught = _taught(site)
    if taught is None:
        return None
    state = "stale"
    if pupil is not None and pupil.id in (taught.id, taught.teacher):
        state = "taken" if pupil.id == taught.id else "waiting"
    try:
        kept = read_bounded(figures_of(site.store), _MOST_FIGURES, follow=False)
        bundle, verdict = _read(kept)
    except (OSError, DecodingError):
        bundle, verdict = None, None
    # The pages may have been ended between the bundle and its figures: those that are there are of another one then.
    return Waiting(taught, state, verdict if bundle == taught.id else None)


def _outcome(ended: Ended) -> Outcome:
    """Return what a teaching came to; one that is worse ends with a status of its own."""
    words, finished = texts().teach, ended.finished
    try:
        return Outcome(*_read(finished.output), "")
    except DecodingError:
        limits = {"cancelled": words.cancelled, "time": words.too_long.format(time=lasted(_LONGEST_S))}
        why = limits.get(finished.killed_for or "") or ended.why or words.ended.format(status=finished.status)
        return Outcome(None, None, why)


def _read(data: bytes) -> "tuple[str | None, Verdict]":
    """Return the id of the taught bundle, None if it was not taken, and the figures. Raises DecodingError."""
    from edge.teaching.verdict import Verdict

    class Report(msgspec.Struct, frozen=True):
        """What `fieldfare teach --json` prints, as far as it is shown."""

        bundle: str | None
        verdict: Verdict

    found = decode_json(data, Report)
    return found.bundle, found.verdict


def _keep(site: Site, ended: Ended) -> None:
    """Keep the figures of a bundle that was written, for pages that start anew."""
    if _outcome(ended).bundle is None:
        return
    try:
        keep_private(figures_of(site.store), ended.finished.output)
    except StorageError as error:  # they are shown until the pages end
        _log.warning("teaching: its figures were not kept: %s", error)


def _sweep(site: Site) -> None:
    """Remove what is in the place of the taught bundle and is none, as after a damage: the command would refuse it."""
    if _taught(site) is None:
        try:
            place_of(site.store).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{place_of(site.store)}: cannot be removed: {error.strerror or error}") from error


def _commands(site: Site, bundle: Path) -> dict[str, Sequence[str]]:
    """Return the commands for the device's owner, by what they do."""
    teach = ["sudo", "fieldfare", "teach", "--bundle", str(bundle)]
    reload = f"sudo systemctl reload-or-restart {_unit(site)}"
    return {
        "same": [shlex.join([*teach, "--store", str(site.store.absolute()), "--leave-out-few"]), reload],
        "take": [shlex.join([*teach, "--take", str(place_of(site.store))]), reload],
        "undo": [shlex.join([*teach, "--undo"]), reload],
    }


def _unit(site: Site) -> str:
    """Return the service's unit: fieldfare, or for a folder /run/fieldfare/front fieldfare@front."""
    run = site.run_dir
    return f"fieldfare@{run.name}" if run is not None and run.parent.name == "fieldfare" else "fieldfare"
