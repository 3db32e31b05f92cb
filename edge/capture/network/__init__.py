"""Cameras on the network: by FFmpeg, or by HTTP as pictures in parts or one picture a request."""
