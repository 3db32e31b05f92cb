"""fieldfare doctor: find what is wrong between camera and result, and how to mend it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.streams import echo_json

if TYPE_CHECKING:
    from edge.doctor.case import Case

_SERVICE_SETTINGS = Path("/etc/fieldfare/fieldfare.toml")


@click.command(epilog="Example: fieldfare doctor --config /etc/fieldfare/fieldfare.toml")
@click.option("--config", type=click.Path(path_type=Path), help=f"Settings file.  [default: {_SERVICE_SETTINGS}]")
@click.option("--bundle", help="Bundle to check, in place of the file's.")
@click.option("--source", help="Source to take a frame from, in place of the file's.")
@click.option("--json", "as_json", is_flag=True, help="Every finding as one JSON object.")
@click.option(
    "--confined", is_flag=True, help="Open no camera, model or Coral, and take little memory, as for the pages."
)
def doctor(config: Path | None, bundle: str | None, source: str | None, *, as_json: bool, confined: bool) -> None:
    """Look at everything between camera and result: board, libraries, settings, camera, bundle, Coral,
    places and space for events, outputs, service.

    Without any option, the settings of the service are taken if there are any. Cameras, engines and
    libraries are tried in child processes, so one that hangs or crashes is reported; it takes 20 seconds at
    most, or 45 if the settings give the camera longer. As root, all of them run as the service's user.

    Status 0 if there is no problem (there may be warnings), 69 if there is one.
    """
    from edge.doctor.examination import CHECKS, confined_checks, examine
    from edge.doctor.text import render

    case = _case(config, bundle, source)
    checks = confined_checks() if confined else CHECKS
    with click.progressbar(length=len(checks), label="looking", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        report = examine(case, checks=checks, progress=lambda _: bar.update(1))
    if as_json:
        echo_json(report)
    else:
        click.echo(render(report))
    if report.status:
        raise click.exceptions.Exit(report.status)


def _case(config: Path | None, bundle: str | None, source: str | None) -> "Case":
    """Return the case that the options name; a settings file that is wrong is a finding and not the end."""
    from edge.config.loading import check_sendable, load_settings
    from edge.config.settings import NO_BUNDLE
    from edge.doctor.case import Case
    from edge.doctor.privileges import careful
    from edge.errors import FieldfareError

    if config is None and bundle is None and source is None and _SERVICE_SETTINGS.exists():
        config = _SERVICE_SETTINGS
    settings, error = None, None
    try:
        if config is not None:
            settings = load_settings(config, bundle=bundle, source=source)
        elif bundle is not None or source is not None:
            settings = load_settings(None, bundle=NO_BUNDLE if bundle is None else bundle, source=source)
        if settings is not None:
            check_sendable(settings)  # the doctor's children get the same texts as a worker
    except FieldfareError as wrong:
        settings, error = None, str(wrong)
    named = bundle or (settings.bundle if settings is not None and config is not None else None)
    if named is not None and named.encode(errors="replace").decode() != named:
        named = None  # the error names it
    case = Case(
        settings=settings if config is not None or source is not None else None,
        settings_from=str(config) if config is not None else None,
        settings_error=error,
        bundle=named,
    )
    return careful(case)
