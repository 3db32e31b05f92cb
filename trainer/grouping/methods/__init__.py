"""Points, the groups among them and their order: arithmetic that knows no photos."""
