"""The parts that all of the trainer's pages share: templates, thumbnails, and numbers in words."""
