"""The supervisor's side of the recorder: what waits for it, and whether it lives."""
