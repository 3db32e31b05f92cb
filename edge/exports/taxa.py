"""Look up what labels stand for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

# It needs the bundle's reader, and so NumPy, which a list of events does not wait for.
if TYPE_CHECKING:
    from edge.events.taxonomy import Taxon

# None for a label that the taxonomy does not have.
TaxonOf = Callable[[str], "Taxon | None"]


def no_taxa(_label: str) -> None:
    """Return None: there is no taxonomy."""
