"""Features of photos by the networks that training starts from."""
