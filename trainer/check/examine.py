"""Examine photos, their records, near-duplicates and splits, and report what matters before training."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.images import readable_name
from trainer.check.classes import class_findings
from trainer.check.copies import conflicting, copy_findings
from trainer.check.files import file_findings
from trainer.check.findings import SEVERITIES, Evidence, Finding, Place, Severity
from trainer.check.labels import label_findings
from trainer.check.recordings import recording_findings
from trainer.dataset.groups import Visits
from trainer.dataset.listing import SPLITS, Split
from trainer.dataset.photos import Photos

__all__ = ["ClassSummary", "DatasetReport", "Evidence", "Finding", "Place", "Severity", "conflicts", "examine"]


class ClassSummary(msgspec.Struct, frozen=True):
    """How many readable photos a class has, in all and in each split."""

    name: str
    photos: int
    train: int
    val: int
    test: int


class DatasetReport(msgspec.Struct, frozen=True):
    """A report on a folder of photos.

    photos: how many are readable.
    unreadable: how many are not.
    near_duplicates: photos that are nearly the same as an earlier one.
    visits: how many --group-by found; None without --group-by.
    unmatched: photos that belong to no visit.
    splits_given: whether the folders themselves name the splits.
    splits: photos by split.
    left_out: photos in no split.
    findings: worst first.
    """

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
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)


def conflicts(photos: Photos) -> NDArray[np.int64]:
    """Return the indices of photos that have an exact copy in another class; assign_splits leaves them out."""
    return conflicting(Evidence(photos, np.arange(len(photos.listing.photos)), None))


def examine(
    photos: Photos,
    duplicates: NDArray[np.int64],
    splits: dict[Split, NDArray[np.int64]] | None,
    *,
    visits: Visits | None = None,
    refusal: str | None = None,
) -> DatasetReport:
    """Report on `photos`. Takes time linear in their number and reads no pixels.

    duplicates: int64 (photos,), the result of group_duplicates, not joined with visits.
    splits: the result of assign_splits, or None if it raised an error.
    visits: the result of visit_groups, or None without --group-by.
    refusal: the text of that error, or None.
    """
    evidence = Evidence(photos, duplicates, splits)
    findings = [
        *class_findings(evidence, refusal),
        *copy_findings(evidence),
        *recording_findings(evidence, grouped=visits is not None),
        *file_findings(evidence),
        *label_findings(evidence),
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
