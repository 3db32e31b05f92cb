"""Photos, records, near-duplicates and splits -> what somebody should know of them before training."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.images import readable_name
from trainer.check.classes import class_findings
from trainer.check.copies import conflicting, copy_findings
from trainer.check.files import file_findings
from trainer.check.findings import SEVERITIES, Evidence, Finding, Place, Severity
from trainer.check.recordings import recording_findings
from trainer.dataset.groups import Visits
from trainer.dataset.listing import SPLITS, Split
from trainer.dataset.photos import Photos

__all__ = ["ClassSummary", "DatasetReport", "Evidence", "Finding", "Place", "Severity", "conflicts", "examine"]


class ClassSummary(msgspec.Struct, frozen=True):
    """How many readable photos a class has, and how many of them each split."""

    name: str
    photos: int
    train: int
    val: int
    test: int


class DatasetReport(msgspec.Struct, frozen=True):
    """A folder of photos, judged. photos are the readable ones; near_duplicates those that are nearly the same
    as an earlier one; visits: how many the user's --group-by found, None where there is none; findings: worst
    first."""

    folder: str
    photos: int
    unreadable: int
    near_duplicates: int
    visits: int | None
    unmatched: int
    splits_given: bool
    splits: dict[str, int]
    left_out: int
    classes: tuple[ClassSummary, ...]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)


def conflicts(photos: Photos) -> NDArray[np.int64]:
    """Indices of the photos whose exact copy stands in another class, for assign_splits to leave out."""
    return conflicting(Evidence(photos, np.arange(len(photos.listing.photos)), None))


def examine(
    photos: Photos,
    duplicates: NDArray[np.int64],
    splits: dict[Split, NDArray[np.int64]] | None,
    *,
    visits: Visits | None = None,
    refusal: str | None = None,
) -> DatasetReport:
    """duplicates: what group_duplicates found, (photos,), not joined with visits. splits: what assign_splits
    made, or None and `refusal`, its error, where it could not. Linear in the photos; reads no pixels."""
    evidence = Evidence(photos, duplicates, splits)
    findings = [
        *class_findings(evidence, refusal),
        *copy_findings(evidence),
        *recording_findings(evidence, grouped=visits is not None),
        *file_findings(evidence),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    listing = photos.listing
    return DatasetReport(
        folder=readable_name(listing.root),
        photos=len(listing.photos),
        unreadable=len(photos.unreadable),
        near_duplicates=len(duplicates) - len(np.unique(duplicates)),
        visits=None if visits is None else visits.count,
        unmatched=0 if visits is None else visits.unmatched,
        splits_given=evidence.given,
        splits={split: int((evidence.sides == number).sum()) for number, split in enumerate(SPLITS)},
        left_out=0 if splits is None else int((evidence.sides < 0).sum()),
        classes=_classes(evidence),
        findings=tuple(findings),
    )


def _classes(evidence: Evidence) -> tuple[ClassSummary, ...]:
    names = evidence.photos.listing.classes
    # Column 0 counts the photos of no split.
    table = np.zeros((len(names), len(SPLITS) + 1), np.int64)
    np.add.at(table, (evidence.labels, evidence.sides + 1), 1)
    return tuple(
        ClassSummary(name, int(row.sum()), *(int(count) for count in row[1:]))
        for name, row in zip(names, table, strict=True)
    )
