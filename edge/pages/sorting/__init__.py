"""Pages on which people sort pictures into classes: on a device over its store, on a desktop over a folder."""
