"""What labels stand for, as far as the exports ask."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Taxon(Protocol):
    """A label's entry in the taxonomy (edge.events.taxonomy)."""

    @property
    def kind(self) -> str: ...
    @property
    def scientific_name(self) -> str | None: ...
    @property
    def rank(self) -> str | None: ...
    @property
    def vernacular(self) -> Mapping[str, str]: ...


def no_taxa(_label: str) -> None:
    """Return None: there is no taxonomy."""


# None for a label that the taxonomy does not have.
TaxonOf = Callable[[str], Taxon | None]
