"""The process that holds camera and accelerator: frames in, results out. It may die at any moment."""
