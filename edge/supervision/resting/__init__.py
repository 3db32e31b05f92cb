"""Let the service rest, with everything on the disk, until the power is cut or comes back."""
