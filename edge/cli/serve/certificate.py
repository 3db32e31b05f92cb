"""fieldfare serve certificate: a certificate of the pages' own, so that they are encrypted."""

from typing import Any

import click

from edge.cli.events.options import store_of, store_options, values_of
from edge.cli.streams import echo


@click.command(epilog="Example: fieldfare serve certificate --name camera.example.org")
@store_options
@click.option(
    "--name", "names", multiple=True, help="Another name or address of this machine; may be given several times."
)
@click.pass_context
def certificate(context: click.Context, /, *, names: tuple[str, ...], **_: Any) -> None:
    """Make a key and a certificate for this machine, or new ones in their place, and print its fingerprint.

    With it the pages are served over https only; start `fieldfare serve` again afterwards. It needs openssl, is valid
    for 825 days, and holds the machine's present names and addresses: make it again if they change.
    """
    from edge.errors import MissingInputError
    from edge.pages.places import folder_of, keep_private
    from edge.pages.tls.certificate import FILE, Certificate
    from edge.pages.tls.making import DAYS, make, named, own_names
    from edge.store.orders import as_owner

    store = store_of(values_of(context))
    if not store.is_file():
        raise MissingInputError(f"there is no store {store}: check the path")
    wanted = [*own_names(), *names]
    made = make(wanted)
    path = folder_of(store) / FILE
    with as_owner(store):
        keep_private(path, made)
    found = Certificate(path, path, own=True)
    echo(f"certificate for {DAYS} days: {', '.join(name.partition(':')[2] for name in named(wanted))}")
    echo(f"fingerprint (SHA-256): {found.fingerprint()}")
    echo(f"its authority, for a phone to trust: {found.authority_fingerprint()}")
    echo("restart the pages, then open them with https://")
