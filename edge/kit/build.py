"""Make a kit: look at all that goes into it, check it together, fetch the wheels, write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge import __version__
from edge.bundle.store import Bundle, open_bundle, pack_bytes
from edge.bundle.write import check_outside
from edge.config.loading import parse_settings, read_settings
from edge.errors import OutputExistsError
from edge.installing.origins.kit import (
    KIT_FILE,
    NOT_LISTED,
    SCRIPT_NAME,
    SUMS_FILE,
    Entry,
    Kit,
    encode_kit,
    encode_sums,
    kit_id,
    parse_kit,
)
from edge.kit.checking import check_settings, notes, system_needs
from edge.kit.debs import Deb, read_debs
from edge.kit.delivered import install_script, settings_path, unit_files
from edge.kit.fetching import read_wheel, wheels_at_hand
from edge.kit.lock import Wheel, read_lock, requirement
from edge.kit.own_wheel import FILE, NAME, own_wheel
from edge.kit.targets import OS_IDS, Target
from edge.kit.writing import Part, check_replaceable, part_at, part_of, place_of, write_kit
from edge.storage import check_place, refuse_inputs


@dataclass(frozen=True, slots=True)
class Order:
    """What to make a kit of.

    - bundle, config, debs, wheels: as on the command line; without config, the settings are those delivered
    - out: a path that ends in .tar, or a folder; a kit goes into a folder that exists as `fieldfare-kit`
    - closed_allowed: take places in the settings that the delivered units do not open
    """

    target: Target
    bundle: Path
    out: Path
    config: Path | None = None
    debs: Path | None = None
    wheels: Path | None = None
    overwrite: bool = False
    closed_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A kit that was written.

    - size: of all its files, in bytes
    - lacks: the packages that it needs of the system and does not bring
    - notes: what else the device needs, in a line each
    """

    place: Path
    kit: Kit
    size: int
    lacks: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Contents:
    """What was looked at before anything is fetched.

    parts: all files but the wheels of the lock, and what lists them
    needs: packages of the system
    """

    bundle: Bundle
    parts: Mapping[str, Part]
    needs: tuple[str, ...]
    debs: tuple[Deb, ...]
    notes: tuple[str, ...]


def build_kit(order: Order, step: Callable[[str], None]) -> Made:
    """Write the kit of an order.

    step: called twice for each wheel of the lock, when it is at hand or begins to be fetched, and when it is written;
        with what to show of it

    Raises a FieldfareError, before anything is fetched if it can be: wrong settings, a damaged bundle, packages of
    another architecture, a place that cannot be written. Nothing is left half-written.
    """
    place = place_of(order.out)
    check_replaceable(place, overwrite=order.overwrite)
    check_outside(place)
    refuse_inputs(place, (order.bundle, order.config, order.debs, order.wheels))
    _refuse_wheels_in_bundle(order)
    check_place(place)
    contents = _look(order)
    lock = read_lock(order.target)
    with wheels_at_hand(order.target, lock, order.wheels, step) as found:
        fetched = {f"wheels/{wheel.file}": _wheel(wheel, found[wheel.file]) for wheel in lock}
        parts = {**contents.parts, **fetched}
        own = Wheel(NAME, __version__, parts[f"wheels/{FILE}"].about.sha256, FILE)
        parts["requirements.txt"] = part_of(_requirements((*lock, own)))
        kit = _listing(order.target, contents, {name: part.about for name, part in parts.items()})
        parts[KIT_FILE] = part_of(kit.data)
        parts[SUMS_FILE] = part_of(encode_sums({name: part.about for name, part in parts.items()}))
        write_kit(place, parts, overwrite=order.overwrite, wrote=lambda name: step(name) if name in fetched else None)
    brought = {deb.package for deb in contents.debs}
    lacks = tuple(need for need in contents.needs if need not in brought)
    return Made(place, kit, sum(part.about.size for part in parts.values()), lacks, contents.notes)


def _refuse_wheels_in_bundle(order: Order) -> None:
    """Raise OutputExistsError if what is fetched would be kept among the files of the bundle, damaging it."""
    if order.wheels is None:
        return
    bundle, kept = order.bundle.resolve(), order.wheels.resolve()
    if bundle in (kept, *kept.parents):
        raise OutputExistsError(f"--wheels {order.wheels} lies in {order.bundle}, a bundle: choose a folder outside")


def _look(order: Order) -> _Contents:
    """Read and check all that is here already."""
    path = order.config or settings_path()
    text = read_settings(path)
    settings = parse_settings(text, str(path))
    units = unit_files()
    bundle = open_bundle(order.bundle)
    check_settings(settings, bundle, units, closed_allowed=order.closed_allowed)
    debs = () if order.debs is None else read_debs(order.debs, order.target)
    parts = {
        SCRIPT_NAME: part_of(install_script()),
        "bundle.fieldfare": part_of(pack_bytes(bundle)),
        "fieldfare.toml": part_of(text),
        f"wheels/{FILE}": part_of(own_wheel()),
        **{f"systemd/{name}": part_of(data) for name, data in units.items()},
        **{f"debs/{deb.file}": part_at(deb.path, Entry(deb.size, deb.sha256)) for deb in debs},
    }
    return _Contents(bundle, parts, system_needs(settings), debs, tuple(notes(settings, bundle, units)))


def _wheel(wheel: Wheel, path: Path) -> Part:
    return Part(Entry(path.stat().st_size, wheel.sha256), partial(read_wheel, path, wheel))


def _requirements(wheels: Sequence[Wheel]) -> bytes:
    return "".join(f"{requirement(wheel)}\n" for wheel in sorted(wheels)).encode()


def _listing(target: Target, contents: _Contents, parts: Mapping[str, Entry]) -> Kit:
    """Return what kit.json holds, as the device will read it."""
    files = {name: parts[name] for name in sorted(parts) if name not in NOT_LISTED}
    record = {
        "version": __version__,
        "id": kit_id(files),
        "target": target.name,
        "machine": target.machine,
        "os_ids": OS_IDS,
        "os_release": target.os_release,
        "python": target.python,
        "bundle": {"name": contents.bundle.manifest.name, "id": contents.bundle.bundle_id},
        "needs": contents.needs,
    }
    return parse_kit(encode_kit(record, files), KIT_FILE)
