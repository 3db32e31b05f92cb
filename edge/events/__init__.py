"""From scores over time to events: pure rules and records. No input or output of its own."""
