"""The dataset check: one module for each kind of evidence, joined by trainer.check.examine."""
