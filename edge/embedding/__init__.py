"""Features of pictures: what a network computes just before it chooses a class."""
