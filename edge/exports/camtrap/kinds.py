"""Decide what an event is to Camtrap DP and to MegaDetector's files, by its mark, its label and the taxonomy.

docs/exporting.md has the tables.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge.exports.columns import clean
from edge.exports.taxa import TaxonOf
from edge.results import UNKNOWN
from edge.store.records import StoredEvent

if TYPE_CHECKING:
    from edge.events.taxonomy import Taxon

MOST_UNNAMED = 20  # labels, for a message
ObservationType = Literal["animal", "human", "vehicle", "blank", "unknown"]
_HELD: dict[str, ObservationType] = {"animal": "animal", "human": "human", "vehicle": "vehicle", "blank": "blank"}


@dataclass(frozen=True, slots=True)
class Observed:
    """What an event is. taxon: with a scientific name, or None. tags: what the columns have no place
    for. is_unnamed: the taxonomy does not have the label."""

    kind: ObservationType
    taxon: "Taxon | None" = None
    tags: tuple[str, ...] = ()
    is_unnamed: bool = False


def observed(stored: StoredEvent, taxon_of: TaxonOf) -> Observed | None:
    """Return what the event is; None for what Camtrap DP cannot hold: plants and objects."""
    if stored.mark is not None and stored.mark.verdict == "wrong":
        return Observed("unknown", tags=(_tag("not", stored.event.label),))
    taxon = taxon_of(stored.label)
    if taxon is None:
        if stored.label == UNKNOWN:
            return Observed("unknown")
        return Observed("unknown", tags=(_tag("label", stored.label),), is_unnamed=True)
    kind = _HELD.get(taxon.kind)
    if kind is None:
        return None
    return Observed(kind, taxon if taxon.scientific_name else None, (_tag("label", stored.label),))


def _tag(key: str, value: str) -> str:
    """Return one tag; a bar in it would end it."""
    return f"{key}:{clean(value).replace('|', '/')}"
