"""fieldfare label: sort photos into classes in a browser, and resume at the next start."""

import os
import signal
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.given import refuse_together
from edge.cli.label.filling import Given, fill
from edge.cli.serve.libraries import check_libraries
from edge.cli.streams import complain, echo
from edge.portable.system import stopping_signals
from edge.printable import counted

if TYPE_CHECKING:
    from edge.sorting.session import Session

_PATH = click.Path(path_type=Path)
_THREADS = min(4, os.cpu_count() or 1)


@click.command(
    short_help="Sort photos into classes in a browser.",
    epilog="Example: fieldfare label my-photos --open  --  docs/labelling.md shows how to go on.",
)
@click.argument("photos", type=_PATH)
@click.option("--groups", type=_PATH, metavar="CSV", help="The groups of `fieldfare dataset group` for these PHOTOS.")
@click.option(
    "--report",
    type=_PATH,
    metavar="JSON|FOLDER",
    help="Sort the mistakes that the report of a training on PHOTOS shows: NAME-report.json, or its folder.",
)
@click.option("--bundle", type=_PATH, help="Bundle whose network looks at the photos.  [default: colours and edges]")
@click.option("--session", "place", type=_PATH, help="Where decisions are kept.  [default: beside PHOTOS]")
@click.option("--out", type=_PATH, help="Class folders to make.  [default: PHOTOS-sorted]")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="A class to offer; may be given several times.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one.")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--threads", type=click.IntRange(1, 64), default=_THREADS, help="That read photos.  [default: cores, at most 4]"
)
@click.pass_context
def label(context: click.Context, /, photos: Path, **given: Any) -> None:
    """Sort PHOTOS into classes in a browser on this machine.

    PHOTOS is a folder, or a device's store of events (events.db) with its pictures. Photos that look alike come in
    groups: name a group, and all of it is named. Every click is saved at once; the same command resumes. Ends with
    Ctrl-C. PHOTOS is not changed.
    """
    refuse_together(context, "groups", "report", "bundle")
    check_libraries()
    from edge.pages.server import listen
    from edge.processes.logs import log_to_stderr
    from edge.sorting.naming import name_problem
    from edge.sorting.places import FILE, MISTAKES, session_of
    from edge.sorting.session import opened

    for name in given["classes"]:
        if (problem := name_problem(name)) is not None:
            raise click.UsageError(f"--class {name[:80]!r} {problem}")
    source = Given(photos, given["groups"], given["report"], given["bundle"], given["threads"])
    file = FILE if source.report is None else MISTAKES
    place = given["place"] or session_of(source.subject, file)
    place = place / file if place.is_dir() else place
    subject = source.subject.resolve()  # PHOTOS may be .. or a link
    out = (given["out"] or subject.with_name(f"{subject.name}-sorted")).absolute()
    _check_places(source, given["out"], given["place"] and place)
    log_to_stderr()
    with listen("127.0.0.1", given["port"]) as listening, opened(place) as session:
        fill(session, source)
        _serve(session, source, out, listening, given)
        _report_end(session)


def _check_places(source: Given, out: Path | None, session: Path | None) -> None:
    """Raise OutputExistsError if a place that was given to write to lies in a bundle or among what is read."""
    from edge.bundle.write import check_outside
    from edge.storage import refuse_inputs

    for option, place in (("--out", out), ("--session", session)):
        if place is not None:
            check_outside(place, option=option)
            refuse_inputs(place, (source.subject, source.groups, source.report, source.bundle), option=option)


def _serve(session: "Session", source: Given, out: Path, listening: Any, given: dict[str, Any]) -> None:
    from edge.pages.server import PageServer
    from edge.pages.sorting.desk import Desk
    from edge.pages.sorting.own import Key, build_own, opening_path
    from edge.sorting.places import Files
    from edge.sorting.training import Training, is_installed

    training = Training() if is_installed() else None
    files = Files(source.root, confined=source.is_store)
    desk = Desk(session.path, files, here="", out=out, classes=given["classes"], session=session, training=training)
    key, port = Key(), listening.getsockname()[1]
    server = PageServer(build_own(desk, key, port))
    for number in (signal.SIGINT, *stopping_signals()):
        signal.signal(number, server.stop)
    address = f"http://127.0.0.1:{port}{opening_path(key)}"
    echo(f"sort {source.subject} at {address}")
    complain(f"fieldfare: decisions are kept in {session.path}; Ctrl-C ends")
    if given["opened"]:
        webbrowser.open(address)
    server.serve(listening)


def _report_end(session: "Session") -> None:
    """Print one line: what is done, and the next command."""
    from edge.pages.sorting.handing_out import handed_out, train_command

    counts = session.totals().counts
    classes = counted(len(session.names()), "class", "classes")
    left = counts["open"] + counts["out"]
    done = f"{counts['named']:,} named in {classes}, {counts['skipped']:,} in no class, {left:,} to go"
    folder, _ = handed_out(session)
    after = "the same command goes on" if folder is None else train_command(folder)
    echo(f"saved: {done}; next: {after}")
