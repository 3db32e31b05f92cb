"""Which MobileNet, its starting weights, and the Keras model built from them."""
