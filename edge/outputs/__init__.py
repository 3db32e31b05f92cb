"""Where events go from the store: each output at its own pace, with a cursor of its own."""
