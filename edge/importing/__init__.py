"""Models that were made elsewhere: what a .tflite reports of itself, tried in a child, wrapped into a bundle."""
