"""The recorder: the process that owns the store and the pictures, and may block on a slow card."""
