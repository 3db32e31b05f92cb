"""fieldfare teach: fit a new last layer of a bundle to a few photos, on the device."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.given import refuse_given
from edge.cli.streams import complain, echo, echo_json, quieten_opencv
from edge.cli.teach.report import report
from edge.errors import DatasetError
from edge.printable import counted

if TYPE_CHECKING:
    from edge.bundle.store import Bundle
    from edge.teaching.photos import Photo

_PATH = click.Path(path_type=Path)
_WORSE = 1
_FEW = 100
_USELESS = ("photos", "store", "labels", "most", "leave_out_few", "out", "overwrite", "runtime", "threads")


@click.command(
    short_help="Teach a bundle new classes from a few photos.",
    epilog="Example: fieldfare teach --bundle birds --photos new-photos --out birds-2",
)
@click.option("--bundle", type=_PATH, required=True, help=f"Bundle to teach. {options.BUNDLE}")
@click.option("--photos", type=_PATH, metavar="FOLDER", help="Folder with a folder of photos for each class.")
@click.option("--store", type=_PATH, metavar="FILE", help="Store whose marked events to learn from.")
@click.option("--label", "labels", multiple=True, help="Only photos of this class; may be given several times.")
@click.option("--most", type=click.IntRange(1), metavar="N", help="Use at most N photos, of all classes together.")
@click.option("--leave-out-few", is_flag=True, help="Leave out new classes with fewer than 5 photos that differ.")
@click.option("--out", type=_PATH, help="Bundle to write.  [default: in the place of --bundle, which is kept beside]")
@click.option("--overwrite", is_flag=True, help="Replace --out if it exists.")
@click.option("--take", type=_PATH, metavar="BUNDLE", help="Put one that was taught into --out in --bundle's place.")
@click.option("--undo", is_flag=True, help="Put the bundle from before teaching back into its place.")
@options.runtime
@options.threads
@options.as_json
@click.pass_context
@apart("bundle")
def teach(context: click.Context, /, bundle: Path, take: Path | None, undo: bool, as_json: bool, **given: Any) -> None:
    """Fit a new last layer of a bundle to photos in class folders, or to events that people marked.

    A folder named like a label of the bundle holds photos of that class; any other name is a new class, which needs 5
    photos and is better with 20. The new layer is judged on photos that it has not seen. A worse one is not written:
    the exit status is then 1.
    """
    from edge.processes.child import ONE_THREAD

    # Before NumPy is loaded: matrices this small take ten times as long if threads wait for each other.
    os.environ.update(ONE_THREAD)
    quieten_opencv()
    if undo:
        refuse_given(context, *_USELESS, "take", because="does nothing with --undo: leave it out")
        _undo(bundle, as_json=as_json)
        return
    if take is not None:
        refuse_given(context, *_USELESS, because="does nothing with --take: leave it out")
        _take(bundle, take, as_json=as_json)
        return
    if given["photos"] is None and given["store"] is None:
        raise click.UsageError("give --photos FOLDER, --store FILE, or both")
    _check_places(bundle, given)
    from edge.bundle.store import open_bundle
    from edge.config.loading import load_settings
    from edge.config.settings import NO_BUNDLE
    from edge.teaching.teach import teach as run

    engine = load_settings(None, bundle=NO_BUNDLE, runtime=given["runtime"], threads=given["threads"]).engine
    old = open_bundle(bundle)
    out = given["out"] or bundle
    limits = {"most": given["most"], "leave_out_few": given["leave_out_few"]}
    try:
        photos = _photos(given, cut=old.manifest.cut is not None)
        made = run(old, out, photos, runtime=engine.runtime, threads=engine.threads, note=_note, **limits)
    except MemoryError as error:
        raise DatasetError(f"more photos than the memory can hold: --most {_FEW}") from error
    kept = _write(old, made.bundle, given) if made.verdict.better else None
    report(old, made.bundle, made.verdict, kept, as_json=as_json)
    if not made.verdict.better:
        raise click.exceptions.Exit(_WORSE)


def _note(text: str) -> None:
    complain(f"fieldfare: {text}")


def _check_places(bundle: Path, given: dict[str, Any]) -> None:
    """Raise before any work if the new bundle cannot be written."""
    from edge.bundle.write import check_target
    from edge.storage import refuse_inputs
    from edge.teaching.beside import check_places

    if given["out"] is not None:
        check_target(given["out"], overwrite=given["overwrite"])
        refuse_inputs(given["out"], (bundle, given["photos"], given["store"]))
    elif given["overwrite"]:
        raise click.UsageError("--overwrite is of --out: leave it out")
    elif bundle.exists():
        check_places(bundle)


def _photos(given: dict[str, Any], *, cut: bool) -> "list[Photo]":
    from edge.teaching.photos import of_folder, of_store, only

    found = [] if given["photos"] is None else of_folder(given["photos"])
    if given["store"] is not None:
        of_events, gone = of_store(given["store"], cut=cut)
        if gone:
            _note(f"{counted(gone, 'marked event')} without a picture: left out")
        found += of_events
    return only(found, given["labels"])


def _write(old: "Bundle", new: "Bundle", given: dict[str, Any]) -> Path | None:
    """Write the new bundle; return where the old one is kept, None if it stays where it is."""
    from edge.bundle.write import save
    from edge.teaching.beside import exchange

    if given["out"] is None:
        return exchange(old, new)
    save(new, overwrite=given["overwrite"])
    return None


def _take(bundle: Path, taught: Path, *, as_json: bool) -> None:
    from edge.teaching.beside import take

    old, new, kept = take(bundle, taught)
    if as_json:
        places = {"path": str(bundle), "kept": None if kept is None else str(kept)}
        echo_json({"was": old.bundle_id, "bundle": new.bundle_id, **places})
    elif kept is None:
        echo(f"{bundle}: bundle {new.bundle_id} is there already")
    else:
        echo(f"{bundle}: bundle {new.bundle_id}, taught from {old.bundle_id}")
        echo(f"the bundle before is kept as {kept}; `fieldfare teach --bundle {bundle} --undo` takes this one back")


def _undo(bundle: Path, *, as_json: bool) -> None:
    from edge.teaching.beside import take_back

    was, now = take_back(bundle)
    if as_json:
        echo_json({"was": was, "bundle": now, "path": str(bundle)})
    elif was == now:
        echo(f"{bundle}: bundle {now} is the one from before teaching already")
    else:
        echo(f"{bundle}: bundle {now} is back, {was} is gone")
