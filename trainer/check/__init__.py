"""The dataset check: one module for each kind of evidence, joined by trainer.dataset_check."""
