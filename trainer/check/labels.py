"""Report labels that a machine made, and what is wrong with their table."""

from collections.abc import Iterator

from trainer.check.findings import Evidence, Finding
from trainer.dataset.machine_labels import MACHINE_LABELS
from trainer.pages.words import counted

LOST = "lost-machine-labels"


def label_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield the findings about labels that no person gave, the most urgent first."""
    listing = evidence.photos.listing
    if listing.lost:
        yield Finding(
            kind=LOST,
            severity="warning",
            title=f"{counted(listing.lost, 'row')} of {MACHINE_LABELS} without a photo of that name",
            explanation="Photos that were moved or renamed count as labelled by hand. That is right if you looked at "
            "them; otherwise move them back.",
            count=listing.lost,
        )
    if made := listing.sureness:
        least_sure = sorted(listing.machine_made, key=lambda index: listing.photos[index].sure or 0.0)
        yield Finding(
            kind="machine-labels",
            severity="remark",
            title=f"{counted(made.photos, 'label')} made by a machine, {made.in_words()}",
            explanation="`dataset spread` gave them. They are learned from with less weight (`--machine-weight`), and "
            "never tested on. Look at the least sure ones: put a photo into the right class folder, or delete its row "
            f"of {MACHINE_LABELS} if it is right there, and it counts as labelled by you.",
            count=made.photos,
            examples=evidence.names(least_sure),
        )
