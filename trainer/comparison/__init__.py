"""Two bundles on the same photos, and whether their difference is more than chance."""
