"""What of a model a Coral runs: reading .tflite files, predicting, calling the compiler, bundling its output."""
