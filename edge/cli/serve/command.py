"""fieldfare serve: pages for a browser over the store of events."""

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import SETTINGS, store_of, store_options, values_of
from edge.cli.serve.libraries import check_libraries
from edge.cli.serve.password import password
from edge.cli.streams import complain, echo
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config.sending import Pages
    from edge.pages.access.password import Password
    from edge.pages.site import Site

_RUN = Path("/run/fieldfare")


@click.group(
    invoke_without_command=True,
    short_help="Pages for a browser: what the camera saw.",
    epilog="Example: fieldfare serve --store events.db --port 8080",
)
@store_options
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free one.  [default: the settings', else 8080]")
@click.option(
    "--address",
    metavar="IP",
    help="To listen on; 0.0.0.0: all of this machine, needs a password.  [default: the settings', else 127.0.0.1]",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    default=_RUN,
    show_default=True,
    help="The folder in which the service keeps its status.",
)
@click.pass_context
def serve(context: click.Context, /, address: str | None, port: int | None, run_dir: Path, **_: Any) -> None:
    """Serve pages for a browser: events with their pictures, to be checked; counts; the state of the service.

    Until a password is set (fieldfare serve password), only this machine can open them. Ends with Ctrl-C or SIGTERM.
    """
    if context.invoked_subcommand is not None:
        return
    values = values_of(context)
    store, place = store_of(values), _place(values)
    check_libraries()
    from edge.pages.access.password import find
    from edge.pages.places import folder_of
    from edge.pages.server import listen
    from edge.processes.logs import log_to_stderr
    from edge.store.reading import StoreReader

    with StoreReader(store):  # wrong paths are said now, not on every page
        kept = find(folder_of(store))
    address = place.address if address is None else address
    _check_address(address, kept)
    log_to_stderr()
    with listen(address, place.port if port is None else port) as listening:
        shown = f"[{address}]" if ":" in address else address
        echo(f"pages of {store} at http://{shown}:{listening.getsockname()[1]}/")
        if kept is None:
            complain("fieldfare: no password is set, so only this machine can open them: fieldfare serve password")
        _become_owner(store)
        _serve(_site(store, run_dir if run_dir.is_dir() else None, kept, _bundle(values)), listening)


def _place(values: dict[str, Any]) -> "Pages":
    """Return where the settings have the pages listen, or the defaults if no settings name the store."""
    from edge.config.loading import load_settings
    from edge.config.sending import Pages

    return Pages() if values["store"] is not None else load_settings(values["config"] or SETTINGS).pages


def _bundle(values: dict[str, Any]) -> Path | None:
    """Return the bundle of the settings that name the store."""
    from edge.config.loading import load_settings

    return None if values["store"] is not None else Path(load_settings(values["config"] or SETTINGS).bundle)


def _serve(site: "Site", listening: Any) -> None:
    from edge.pages.application import build
    from edge.pages.server import serve as serve_app

    serve_app(build(site), listening)


def _become_owner(store: Path) -> None:
    """Go on as the store's owner, if root runs this: what a browser sends is no business of root's."""
    owner = store.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _site(store: Path, run_dir: Path | None, kept: "Password | None", bundle: Path | None) -> "Site":
    from edge.pages.access.attempts import Attempts
    from edge.pages.access.sessions import Sessions
    from edge.pages.places import folder_of
    from edge.pages.site import Site

    sessions = None if kept is None else Sessions(folder_of(store), kept.id)
    attempts = Attempts()
    return Site(store=store, run_dir=run_dir, password=kept, sessions=sessions, attempts=attempts, bundle=bundle)


def _check_address(address: str, kept: "Password | None") -> None:
    """Raise UsageError if it is no address, ConfigError if it is open to others and no password is set."""
    try:
        is_own = ipaddress.ip_address(address).is_loopback
    except ValueError as error:
        raise click.UsageError(f"--address {address[:80]!r}: must be an IP address, such as 127.0.0.1") from error
    if not is_own and kept is None:
        raise ConfigError(
            f"--address {address}: others could open the pages, and no password is set: "
            "fieldfare serve password, or leave --address out"
        )


serve.add_command(password)
