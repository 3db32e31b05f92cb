"""What the worker keeps of the frames it decides on: sightings with their pictures, samples, scores."""
