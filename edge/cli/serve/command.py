"""fieldfare serve: pages for a browser over the store of events."""

import ipaddress
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import SETTINGS, store_and_settings, store_options, values_of
from edge.cli.serve.certificate import certificate
from edge.cli.serve.libraries import check_libraries
from edge.cli.serve.password import password
from edge.cli.streams import complain, echo
from edge.errors import ConfigError

if TYPE_CHECKING:
    import socket
    import ssl

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
    store, settings = store_and_settings(values)
    place = _defaults() if settings is None else settings.pages
    check_libraries()
    from edge.pages.access.password import find
    from edge.pages.places import folder_of
    from edge.pages.server import listen
    from edge.store.reading import StoreReader

    with StoreReader(store):  # wrong paths are said now, not on every page
        kept = find(folder_of(store))
    address = place.address if address is None else address
    _check_address(address, kept)
    with listen(address, place.port if port is None else port) as listening:
        _become_owner(store, run_dir)
        site = _site(store, run_dir, kept, place)
        if settings is not None:
            site = replace(site, settings=values["config"] or SETTINGS)
        _serve(site, listening, address)


def _defaults() -> "Pages":
    from edge.config.sending import Pages

    return Pages()


def _context(site: "Site") -> "ssl.SSLContext | None":
    """Return the certificate, loaded; None without one. Raises MissingInputError, DataError."""
    if site.certificate is None:
        return None
    loaded = site.certificate.context()
    ends = site.certificate.ends_soon()
    if ends is not None:
        complain(f"fieldfare: {ends}")
    return loaded


def _serve(site: "Site", listening: "socket.socket", address: str) -> None:
    """Serve until a signal; report where."""
    from edge.pages.application import build
    from edge.pages.server import PageServer
    from edge.processes.logs import keep_problems, log_to_stderr

    loaded = _context(site)
    log_to_stderr()
    site = replace(site, problems=keep_problems(None))
    shown, port = f"[{address}]" if ":" in address else address, listening.getsockname()[1]
    echo(f"pages of {site.store} at {'http' if loaded is None else 'https'}://{shown}:{port}/")
    if site.password is None:
        complain("fieldfare: no password is set, so only this machine can open them: fieldfare serve password")
    PageServer(build(site), loaded).serve(listening)


def _become_owner(store: Path, run_dir: Path) -> None:
    """Go on as the store's owner, if root runs this: what a browser sends is no business of root's."""
    from edge.pages.places import make_requests

    owner = store.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        make_requests(run_dir, owner.st_uid, owner.st_gid)  # in /run only root may
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _site(store: Path, run_dir: Path, kept: "Password | None", place: "Pages") -> "Site":
    from edge.live.places import requests_of
    from edge.pages.access.attempts import Attempts
    from edge.pages.access.sessions import Sessions
    from edge.pages.live.watching import Watching
    from edge.pages.places import folder_of
    from edge.pages.site import Site
    from edge.pages.tls.certificate import find

    folder = folder_of(store)
    sessions = None if kept is None else Sessions(folder, kept.id)
    return Site(
        store=store,
        run_dir=run_dir,
        password=kept,
        sessions=sessions,
        attempts=Attempts(),
        certificate=find(folder, place),
        watching=Watching(requests_of(run_dir)),
    )


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
serve.add_command(certificate)
