"""Figures that hold in the field: the int8 model's outputs, metrics, scaling of scores, the threshold."""
