"""Cut training photos around boxes as a device does: boxes of other tools, their photos, and the parts."""
