"""Compare two bundles on the same photos, and test whether their difference is more than chance."""
