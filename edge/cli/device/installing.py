"""fieldfare device install, status and uninstall: the installer's own command line, which needs no click."""

import click


def _passed_on(name: str, text: str) -> click.Command:
    """Return the command `name` of the installer."""

    # What it takes is defined once, in edge/installing/command.py, for where click is not installed yet.
    @click.command(
        name,
        short_help=text,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def command(words: tuple[str, ...]) -> None:
        from edge.installing.command import main

        try:
            status = main([name, *words])
        except SystemExit as end:  # argparse's, after its help or its usage
            status = int(end.code or 0)
        if status:
            raise click.exceptions.Exit(status)

    return command


install = _passed_on("install", "Install a version, and switch to it.")
status = _passed_on("status", "What is installed, and whether results come.")
uninstall = _passed_on("uninstall", "Remove everything but the data.")
