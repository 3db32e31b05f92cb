"""Look up what labels stand for."""

from collections.abc import Callable

from edge.events.taxonomy import Taxon

# None for a label that the taxonomy does not have.
TaxonOf = Callable[[str], Taxon | None]


def no_taxa(_label: str) -> None:
    """Return None: there is no taxonomy."""
