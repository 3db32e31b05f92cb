"""Files that are copied to a target, such as a stick, and read back from it before they count."""
