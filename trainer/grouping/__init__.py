"""Photos without labels in groups: K-means, ISODATA or HDBSCAN on a space in which alike photos are near."""
