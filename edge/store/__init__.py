"""The store of events: one SQLite database, its schema, its one writer, its readers, and orders to the writer."""
