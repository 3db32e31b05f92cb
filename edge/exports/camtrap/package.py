"""Export events as a Camtrap DP package: deployments, media, observations, our scores, and the descriptor."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from edge.exports.camtrap import deployments as places
from edge.exports.camtrap import rows
from edge.exports.camtrap.deployments import Deployed
from edge.exports.camtrap.descriptor import SCORES_NAME, describe
from edge.exports.camtrap.kinds import MOST_UNNAMED, Observed, observed
from edge.exports.camtrap.project import Project
from edge.exports.columns import COLUMNS, flatten
from edge.exports.copying.target import Target
from edge.exports.media import MediaNames, Named
from edge.exports.selection import Stays
from edge.exports.tables import CsvTable
from edge.exports.taxa import TaxonOf
from edge.store.records import Stay, StoredEvent

if TYPE_CHECKING:
    from edge.events.taxonomy import Taxon

OTHERS = "other-observations.csv"


class PackageWriter:
    """The tables of a package. Used by one thread.

    others: how many events the standard cannot hold.
    taxa: those that were seen, by their scientific names.
    unnamed: the first labels that the taxonomy does not have.
    """

    def __init__(
        self,
        open_csv: Callable[[str, Sequence[str]], CsvTable],
        deployed: Mapping[Stay, Deployed],
        stays: Stays,
        taxon_of: TaxonOf,
        *,
        media: bool,
        public: bool,
    ) -> None:
        self._open = open_csv
        self._media = open_csv("media.csv", rows.MEDIA)
        self._observations = open_csv("observations.csv", rows.OBSERVATIONS)
        self._scores = open_csv(f"{SCORES_NAME}.csv", [name for name, *_ in rows.SCORES])
        self._others: CsvTable | None = None
        self._deployed = deployed
        self._stays = stays
        self._taxon_of = taxon_of
        self._names = MediaNames() if media else None
        self._public = public
        self.others = 0
        self.taxa: dict[str, Taxon] = {}
        self.unnamed: set[str] = set()

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return all pictures of the event."""
        return self._names.of(stored) if self._names is not None else []

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the event's rows."""
        seen = observed(stored, self._taxon_of)
        if seen is None:
            self.others += 1
            if self._others is None:
                self._others = self._open(OTHERS, tuple(COLUMNS))
            self._others.add(flatten(stored, self._taxon_of, [named.name for named in kept]))
            return
        if seen.is_unnamed and len(self.unnamed) < MOST_UNNAMED:
            self.unnamed.add(stored.label)
        if seen.taxon is not None and seen.taxon.scientific_name:
            self.taxa.setdefault(seen.taxon.scientific_name, seen.taxon)
        deployment = self._deployed[self._stays.of(stored)].name
        self._add_media(seen, kept, deployment)
        for row in rows.observation_rows(stored, seen, tuple(kept), deployment):
            self._observations.add_cells(row)
        self._scores.add_cells(rows.score_row(stored))

    def _add_media(self, seen: Observed, kept: Sequence[Named], deployment: str) -> None:
        public = self._public and seen.kind in ("animal", "blank")
        for named in kept:
            self._media.add_cells(rows.media_row(named, deployment, public=public))


@contextlib.contextmanager
def open_package(
    target: Target,
    deployed: Mapping[Stay, Deployed],
    stays: Stays,
    project: Project,
    taxon_of: TaxonOf,
    *,
    store: str,
    media: bool,
) -> Iterator[PackageWriter]:
    """Open the tables; the descriptor is written when the block ends. Raises StorageError."""
    with contextlib.ExitStack() as files:
        writer = PackageWriter(
            lambda name, columns: CsvTable(files.enter_context(target.file(name)), columns),
            deployed,
            stays,
            taxon_of,
            media=media,
            public=project.filePublic,
        )
        yield writer
    with target.file("deployments.csv") as output:
        table = CsvTable(output, places.COLUMNS)
        for one in deployed.values():
            table.add_cells(one.cells())
    levels = ("media", "event") if media else ("event",)
    with target.file("datapackage.json") as output:
        descriptor = describe(
            project, deployed.values(), writer.taxa, store=store, levels=levels, others=writer.others > 0
        )
        output.write(msgspec.json.format(msgspec.json.encode(descriptor)) + b"\n")
