"""Teach a bundle on the device: a new last layer from a few photos, without TensorFlow."""
