"""Recordings as cameras: folders of pictures, and video files."""
