"""Pages for a browser: what the camera saw, checked by people. A process of its own, on which nothing depends."""
