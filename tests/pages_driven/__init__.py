"""The pages in a real Chromium. A package, so that its fixtures can live for all of it: one browser a worker."""
