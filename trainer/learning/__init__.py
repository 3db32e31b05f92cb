"""From photos to a trained float model: the head, fine-tuning, checkpoints, several machines."""
