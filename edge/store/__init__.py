"""The store of events: one SQLite database, its schema, and how it is read."""
