"""From a folder to decoded photos: classes, groups, splits, near-duplicates, rows on disk."""
