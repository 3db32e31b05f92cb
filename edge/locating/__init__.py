"""Find where in a frame something is: by motion, or by a detector model. Nothing here knows a camera or a worker."""
