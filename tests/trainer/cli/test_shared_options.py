"""Options that several commands share have the same words, bounds and defaults in all of them."""

from pathlib import Path

import click
import pytest

from edge.cli.embed import embed
from edge.errors import OutputExistsError
from trainer.cli.before_work import check_new_folder, weights_file
from trainer.cli.crop import crop
from trainer.cli.dataset import check
from trainer.cli.group import group
from trainer.cli.pick import pick, spread
from trainer.cli.train import train
from trainer.networks.families import MAX_SIZE, MIN_SIZE


def option(command: click.Command, name: str) -> click.Option:
    (found,) = (parameter for parameter in command.params if parameter.name == name)
    assert isinstance(found, click.Option)
    return found


@pytest.mark.parametrize("command", [embed, group, pick, spread], ids=lambda command: command.name)
def test_the_network_s_options_are_the_same_and_within_what_networks_take(command: click.Command) -> None:
    size, alpha, weights = (option(command, name) for name in ("size", "alpha", "weights"))
    assert isinstance(size.type, click.IntRange)
    assert (size.type.min, size.type.max, size.default) == (MIN_SIZE, MAX_SIZE, option(train, "size").default)
    assert alpha.type.to_info_dict() == option(train, "alpha").type.to_info_dict()
    assert alpha.default == option(train, "alpha").default
    assert (weights.help or "").startswith(option(embed, "weights").help or "")


@pytest.mark.parametrize("command", [crop, check, group, pick, spread], ids=lambda command: command.name)
def test_workers_and_json_are_the_same(command: click.Command) -> None:
    assert option(command, "workers").to_info_dict()["type"] == option(check, "workers").to_info_dict()["type"]
    assert (option(command, "workers").help or "").endswith("[default: all cores, fewer if memory is short]")
    assert option(command, "as_json").help == option(check, "as_json").help


def test_a_new_folder_replaces_nothing_and_lies_outside_of_what_is_read(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for out, overwrite, message in [
        (card, None, "exists: choose another name$"),
        (tmp_path / "link", None, "exists: choose another name$"),
        (card, False, "exists: choose another name or add --overwrite"),
        (card, True, "is .*, which is read"),
        (card / "out", None, "choose a place outside"),
    ]:
        with pytest.raises(OutputExistsError, match=message):
            check_new_folder(out, (card, None), overwrite=overwrite)
    check_new_folder(tmp_path / "new" / "out", (card,))
    assert not (tmp_path / "new" / "out").exists()


@pytest.mark.parametrize(("given", "file"), [(None, None), ("imagenet", None), ("a.h5", Path("a.h5"))])
def test_the_file_of_weights(given: str | None, file: Path | None) -> None:
    assert weights_file(given) == file
