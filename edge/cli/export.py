"""fieldfare export: events and their pictures to files that other programs read."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import (
    SETTINGS,
    filter_of,
    json_option,
    note_missing_log,
    note_strange_labels,
    store_of,
    store_options,
    time_options,
)
from edge.cli.given import refuse_given, refuse_together
from edge.cli.streams import complain, echo, echo_json
from edge.printable import counted

if TYPE_CHECKING:
    from edge.exports.camtrap.project import Project
    from edge.exports.export import OnProgress, Outcome, Progress, Request
    from edge.exports.taxa import TaxonOf

_FORMATS = ("camtrap-dp", "csv", "jsonl", "parquet", "folders", "megadetector")
_PICTURES_ONLY = ("folders", "megadetector")
_OF_CAMTRAP = ("project_file", "title", "contributors", "position")
# Of less, the events show as much, and "0 of 0 MB" would look like a fault.
_SEVERAL_MB = 2_000_000
_PATH = click.Path(path_type=Path)
_PIPE = Path("-")


@click.command(
    short_help="Export events and their pictures to a folder.",
    epilog="Example: fieldfare export --format csv --since-last --out /media/stick/november",
)
@store_options
@click.option("--format", "form", type=click.Choice(_FORMATS), required=True, help="What to write.")
@click.option(
    "--out", type=_PATH, required=True, help="Folder to make, in one that is there; -: a tar to standard output."
)
@time_options
@click.option("--since-last", is_flag=True, help="Only what no earlier export of this format has taken.")
@click.option("--no-media", is_flag=True, help="Tables only, without pictures.")
@click.option("--resume", is_flag=True, help="Go on with an export that was interrupted; a finished one is left.")
@click.option("--overwrite", is_flag=True, help="Replace the export in that folder; pictures that fit are kept.")
@click.option("--taxonomy", type=_PATH, help="Table of what labels stand for.  [default: that of the settings]")
@click.option("--project", "project_file", type=_PATH, help="camtrap-dp: TOML file about project and places.")
@click.option("--title", help="camtrap-dp: title of the package.")
@click.option(
    "--contributor", "contributors", multiple=True, help="camtrap-dp: who made it; may be given several times."
)
@click.option("--position", metavar="LAT,LON", help="camtrap-dp: where devices stand that have no position.")
@json_option
@click.pass_context
def export(context: click.Context, /, form: Any, out: Path, as_json: bool, **_: Any) -> None:
    """Export events to a folder, with their pictures, so that every byte was read back from it.

    \b
    camtrap-dp    Camtrap DP 1.0.2, the exchange format of camera traps
    csv, jsonl    one row or object an event
    parquet       the same as Parquet; needs pyarrow
    folders       marked and harvested pictures by class, for `fieldfare train`
    megadetector  boxes as MegaDetector writes them

    With `--out -` it is one tar, for a pipe; the store then notes nothing as exported.

    If it was interrupted, run it again with --resume. manifest-sha256.txt lists every file for `sha256sum -c`.
    """
    from edge.exports.export import export as run
    from edge.store.reading import StoreReader

    values = context.params
    _refuse_useless(context, form)
    store = store_of(values)
    piped = out == _PIPE
    if piped:
        _refuse_piped(context)
    else:
        _check_out(out, store, values)
    request = _request(values, store)
    with StoreReader(store) as reader:
        note_missing_log(reader)
        note_strange_labels(reader, request.wanted)
    counter = _Counter()
    try:
        outcome = _pipe(request, counter.show) if piped else run(request, counter.show)
    finally:
        counter.end()
    if as_json:
        echo_json(outcome)
    elif not piped:
        _report(request.out, outcome)
    warn(outcome, form)


def _request(values: dict[str, Any], store: Path) -> "Request":
    """Return what the options of the command ask for."""
    from edge.exports.export import Request

    return Request(
        store=store,
        form=values["form"],
        out=values["out"],
        wanted=filter_of(values),
        taxon_of=_taxa(values),
        since_last=values["since_last"],
        media=not values["no_media"],
        overwrite=values["overwrite"],
        resume=values["resume"],
        project=_project(values),
        position=_position(values["position"]),
    )


def _refuse_piped(context: click.Context) -> None:
    """Raise UsageError for what means nothing to a pipe, from which nothing is read back."""
    because = "--out - writes a tar to standard output: leave it out, or name a folder"
    refuse_given(context, "since_last", "resume", "overwrite", "as_json", because=because)
    if sys.stdout.isatty():
        raise click.UsageError("--out - writes a tar to standard output, which is a terminal: name a folder")


def _pipe(request: "Request", on_progress: "OnProgress") -> "Outcome":
    from edge.exports.archive import export_archive

    try:
        return export_archive(request, sys.stdout.buffer, on_progress)
    finally:
        sys.stdout.flush()


def _check_out(out: Path, store: Path, values: dict[str, Any]) -> None:
    """Raise OutputExistsError if the export would lie in a bundle, among the store's own files and pictures, or in the
    place of what it reads."""
    from edge.bundle.write import check_outside
    from edge.config.store_place import is_of_store
    from edge.errors import OutputExistsError
    from edge.storage import refuse_inputs, refuse_partial
    from edge.store.files import located

    check_outside(out)
    refuse_partial(out)
    own, place = located(store), located(out)
    if any(is_of_store(one, own) for one in (place, *place.parents)):
        raise OutputExistsError(f"--out {out} is the place of the store {own} and its files: choose another name")
    folders = [own.with_name("pictures"), own.with_name("harvest"), *_kept(values)]
    refuse_inputs(out, (own, *folders, values["config"], values["taxonomy"], values["project_file"]))


def _kept(values: dict[str, Any]) -> list[Path]:
    """Return the folders of pictures that the settings name, if the store is theirs."""
    if values["store"] is not None:
        return []
    from edge.config.loading import load_settings

    settings = load_settings(values["config"] or SETTINGS)
    return [Path(folder) for folder in (settings.pictures.folder, settings.harvest.folder) if folder is not None]


def _refuse_useless(context: click.Context, form: str) -> None:
    """Raise UsageError if an option was given that means nothing to this format, or that another one rules out."""
    refuse_together(context, "resume", "overwrite")
    if form in _PICTURES_ONLY:
        because = f"{form} consists of pictures: leave it out, or choose csv or jsonl"
        refuse_given(context, "no_media", because=because)
    if form != "camtrap-dp":
        refuse_given(context, *_OF_CAMTRAP, because=f"only camtrap-dp has a use for it, not {form}: leave it out")
    if form == "folders":
        refuse_given(context, "taxonomy", because="folders have the names of the labels: leave it out")


def _project(values: dict[str, Any]) -> "Project":
    import msgspec

    from edge.config.faults import shown
    from edge.exports.camtrap.project import LINE_WORDS, Contributor, Project, is_line, read_project

    given = [("--title", values["title"])] if values["title"] is not None else []
    for option, text in (*given, *(("--contributor", name) for name in values["contributors"])):
        if not is_line(text):
            raise click.UsageError(f"{option} {shown(text)}: must be {LINE_WORDS}")
    found = Project() if values["project_file"] is None else read_project(values["project_file"])
    changes: dict[str, Any] = {} if values["title"] is None else {"title": values["title"]}
    if values["contributors"]:
        changes["contributors"] = tuple(Contributor(title=name) for name in values["contributors"])
    return msgspec.structs.replace(found, **changes)


def _position(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        latitude = longitude = float("nan")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise click.UsageError(f"--position {text[:80]!r}: must be LATITUDE,LONGITUDE in degrees, such as 52.70,23.85")
    return latitude, longitude


def _taxa(values: dict[str, Any]) -> "TaxonOf":
    """Return the taxonomy of --taxonomy, else that of the settings or of their bundle.

    Without any of them, labels stand for nothing: the store does not hold it.
    """
    from edge.bundle.store import open_bundle
    from edge.config.loading import load_settings
    from edge.events.taxonomy import load_taxonomy
    from edge.exports.taxa import no_taxa

    if values["taxonomy"] is not None:
        found = load_taxonomy(str(values["taxonomy"]), None)
    elif values["store"] is None:
        settings = load_settings(values["config"] or SETTINGS)
        file = settings.device.taxonomy
        found = load_taxonomy(file, None if file is not None else open_bundle(Path(settings.bundle)))
    else:
        return no_taxa
    return no_taxa if found is None else found.of


def progress_words(progress: "Progress") -> str:
    """Return how far it is: events, and megabytes of pictures if there are several."""
    text = f"{progress.events:,} of {progress.all_events:,} events"
    if progress.all_size >= _SEVERAL_MB:
        text += f", {progress.size / 1e6:,.0f} of {progress.all_size / 1e6:,.0f} MB"
    return text


class _Counter:
    """A line on standard error that shows how far it is, once it takes longer than two seconds."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        # In a log, a line a minute is enough.
        self._every_s = 0.5 if self._live else 60.0
        self._next_s = time.monotonic() + 2.0
        self._shown = False

    def show(self, progress: "Progress") -> None:
        """Show it, if it is time."""
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s, self._shown = now + self._every_s, True
        text = progress_words(progress)
        click.echo(f"\r{text}\x1b[K" if self._live else text, nl=not self._live, err=True)

    def end(self) -> None:
        """Leave the line."""
        if self._shown and self._live:
            click.echo("\r\x1b[K", nl=False, err=True)


def _report(out: Path, outcome: "Outcome") -> None:
    if outcome.was_finished:
        left = "the store has noted it now" if outcome.noted_late else "nothing is left to do"
        if outcome.not_noted is None:
            echo(f"{out}: this export is finished: {left}")
        return
    if not outcome.events and not outcome.samples:
        echo("nothing new since the last export: nothing was written")
        return
    harvested = f", {outcome.samples:,} of them harvested" if outcome.samples else ""
    pictures = (
        f", {counted(outcome.pictures, 'picture', grouped=True)} ({outcome.size / 1e6:,.1f} MB){harvested}"
        if outcome.pictures
        else ""
    )
    echo(f"{out}: {counted(outcome.events, 'event', grouped=True)}{pictures}; all of it was read back")


def warn(outcome: "Outcome", form: str) -> None:
    """Report what is not as people may expect, a line each."""
    boxes = form == "megadetector"
    if outcome.others:
        why = "for which MegaDetector has no category" if boxes else "which Camtrap DP cannot hold"
        where = "without a detection" if boxes else "in other-observations.csv"
        complain(f"fieldfare: of plants or objects, {why}, and so {where}: {_events(outcome.others)}")
    if outcome.blanks:
        complain(f"fieldfare: of nothing, and so without a detection: {_events(outcome.blanks)}")
    if outcome.unnamed:
        what = "of category unknown" if boxes else "observations of type unknown with the label as a tag"
        complain(f"fieldfare: without an entry in the taxonomy, and so {what}: {'; '.join(outcome.unnamed)}")
    if outcome.unchecked and form == "folders":
        complain(f"fieldfare: left out, as nobody marked them yet: {_events(outcome.unchecked)}")
    if outcome.missing:
        complain(f"fieldfare: not there any more, and left out: {counted(outcome.missing, 'picture', grouped=True)}")
    if outcome.damaged:
        complain(
            f"fieldfare: damaged in the store, and left out: {counted(outcome.damaged, 'picture', grouped=True)}: "
            "is the card worn?"
        )
    if outcome.not_noted is not None:
        complain(f"fieldfare: the store could not note what was exported: {outcome.not_noted}")


def _events(number: int) -> str:
    return counted(number, "event", grouped=True)
