"""The training report: records, arithmetic, figures, sentences and the page."""
