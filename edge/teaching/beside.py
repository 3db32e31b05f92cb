"""Put a taught bundle in the place of the one before, which is kept beside it, and take it back."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edge.bundle.store import PACK_SUFFIX, Bundle, open_bundle
from edge.bundle.write import check_target, save
from edge.errors import BundleError, MissingInputError, StorageError
from edge.storage import PARTIAL

# The note of a taught bundle's origin begins so, before the id of the one that it was taught from.
TAUGHT_FROM = "taught on the device from "
_BEFORE = "before-teaching"


def place_before(bundle: Path) -> Path:
    """Return where the bundle before teaching is kept: birds.before-teaching, or birds.before-teaching.fieldfare."""
    real = bundle.resolve()
    if real.suffix == PACK_SUFFIX:
        return real.with_name(f"{real.stem}.{_BEFORE}{PACK_SUFFIX}")
    return real.with_name(f"{real.name}.{_BEFORE}")


def check_places(bundle: Path) -> None:
    """Raise OutputExistsError or StorageError, before any work, if `exchange` could not write."""
    check_target(bundle, overwrite=True)
    check_target(place_before(bundle), overwrite=True)


def exchange(old: Bundle, new: Bundle) -> Path:
    """Keep `old` beside its place, then write `new` there; return where the old one is kept.

    Killed at any moment, a whole bundle is in the place: the old one or the new one.
    Raises OutputExistsError or StorageError; then the old one is in its place alone.
    """
    kept = place_before(old.path)
    save(replace(old, path=kept), overwrite=True)
    try:
        save(replace(new, path=old.path.resolve()), overwrite=True)
    except StorageError:
        with suppress(StorageError):
            _remove(kept)
        raise
    return kept


def taught_from(bundle: Bundle) -> str | None:
    """Return the id of the bundle that this one was taught from last; None if it was not taught."""
    last = bundle.manifest.origin.notes[-1:]
    return last[0].removeprefix(TAUGHT_FROM).partition(":")[0] if last and last[0].startswith(TAUGHT_FROM) else None


def take(bundle: Path, taught: Path) -> tuple[Bundle, Bundle, Path | None]:
    """Put a bundle that was taught to a place of its own in the place of the one that it was taught from.

    Returns the one that was there, the one that is, and where the former is kept; None if `taught` was there already.
    Raises BundleError if it was taught from another one, and what `exchange` and open_bundle raise.
    """
    old, new = open_bundle(bundle), open_bundle(taught)
    if old.bundle_id == new.bundle_id:
        return old, new, None
    if taught_from(new) != old.bundle_id:
        raise BundleError(
            f"bundle {taught}: was not taught from {old.bundle_id}, which is in the place of {bundle}: teach again"
        )
    check_places(bundle)
    return old, new, exchange(old, new)


def take_back(bundle: Path) -> tuple[str, str]:
    """Put the bundle from before teaching back; return the ids of the one that was there, and of the one that is.

    One that is damaged gives way, too. Raises MissingInputError if none is kept, BundleError if that is damaged or if
    the one that is there was not taught from it, StorageError.
    """
    place = place_before(bundle)
    try:
        kept = open_bundle(place)
    except MissingInputError as error:
        raise MissingInputError(
            f"{place}: nothing to take back: no bundle from before teaching is kept there"
        ) from error
    there = _id_of_taught(bundle, kept)
    if there != kept.bundle_id:
        save(replace(kept, path=bundle.resolve()), overwrite=True)
    _remove(place)
    return there, kept.bundle_id


def _id_of_taught(path: Path, kept: Bundle) -> str:
    """Return the id of the bundle that is there. Raises BundleError if it is one that has nothing to do with `kept`."""
    try:
        there = open_bundle(path)
    except MissingInputError:
        return "none"
    except BundleError:
        return "a damaged one"
    if kept.bundle_id not in (there.bundle_id, taught_from(there)):
        raise BundleError(
            f"bundle {path}: {there.bundle_id} was not taught from {kept.bundle_id}, which is kept as {kept.path}: "
            "nothing was changed; if you want that one, put it there by hand, else remove it"
        )
    return there.bundle_id


def _remove(place: Path) -> None:
    """Remove the bundle that was kept. It first gets a name under which no half of it is taken for a bundle."""
    going = place.with_name(f".{place.name}{PARTIAL}")
    try:
        if going.is_dir():
            shutil.rmtree(going)
        place.replace(going)
        if going.is_dir():
            shutil.rmtree(going)
        else:
            going.unlink()
    except OSError as error:
        raise StorageError(f"{place}: cannot be removed: {error.strerror or error}; remove it by hand") from error
