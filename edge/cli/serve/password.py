"""fieldfare serve password: set the password of the pages."""

import sys
from typing import Any

import click

from edge.cli.events.options import store_of, store_options, values_of
from edge.cli.streams import echo

_MOST = 4096


@click.command(epilog="Example: fieldfare serve password --store events.db")
@store_options
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input, for scripts.")
@click.pass_context
def password(context: click.Context, /, *, from_stdin: bool, **_: Any) -> None:
    """Set the password of the pages. It ends all sessions; start `fieldfare serve` again afterwards."""
    from edge.errors import MissingInputError
    from edge.pages.access.password import keep, make
    from edge.pages.places import folder_of
    from edge.store.orders import as_owner

    store = store_of(values_of(context))
    if not store.is_file():
        raise MissingInputError(f"there is no store {store}: check the path")
    text = (
        sys.stdin.read(_MOST).rstrip("\r\n")
        if from_stdin
        else click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    )
    made = make(text)
    with as_owner(store):
        keep(folder_of(store), made)
    echo("the password is set; restart the pages, then log in with it")
