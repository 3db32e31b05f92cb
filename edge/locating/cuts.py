"""Decide how parts are cut around boxes, for the device and for photos that a model learns from."""

from edge.bundle.cut import Cut
from edge.bundle.manifest import Manifest, Resize
from edge.locating.places import Cutting

# Fewer pixels hold nothing that could be named.
_LEAST_PX = 16
# A network whose photos were squeezed to its input learned things as photos of 4:3 to 16:9 show them then. Parts of up
# to this shape look no stranger, and hold less of the surroundings: of cut-outs of TrashNet at an eighth of the width
# 53 % were named rightly, and 41 % of them in squares (542 frames of tools/made_scenes.py, November 2026).
_PHOTO_ASPECT = 16 / 9
# What a detector or a camera is off by is less.
_CLOSE = 0.005


def cut_for(resize: Resize, *, padding: float, min_size: float) -> Cut:
    """Return how parts are cut for a model whose pictures are fitted so."""
    slack = _PHOTO_ASPECT if resize == "squash" else 1.0
    return Cut(padding=padding, slack=slack, least_px=_LEAST_PX, min_size=min_size)


def cutting_of(cut: Cut, aspect: float = 1.0) -> Cutting:
    """Return what cuts so. aspect: width / height of the model's input."""
    return Cutting(padding=cut.padding, least_px=cut.least_px, aspect=aspect, slack=cut.slack)


def device_cutting(manifest: Manifest, padding: float | None) -> Cutting:
    """Return how a device cuts for this bundle: as its photos were cut, if they were. padding: of the settings."""
    cut = manifest.cut or cut_for(manifest.preprocessing.resize, padding=0.0, min_size=0.0)
    cutting = cutting_of(cut, manifest.input.width / manifest.input.height)
    return cutting if padding is None else cutting.padded(padding)


def doubt_about(manifest: Manifest, *, locates: bool, padding: float | None, min_size: float) -> str | None:
    """Return in one line how a device shows a bundle other pictures than it learned; None if it does not.

    locates: whether it classifies parts of its pictures. padding, min_size: of its settings.
    """
    cut = manifest.cut
    if cut is None:
        # Of an imported model nobody knows. Whoever sets a padding knows how the photos look: another tool may have cut
        # them, or each is filled by its thing.
        if not locates or manifest.origin.kind == "imported" or padding is not None:
            return None
        return (
            "the bundle learned whole photos, and [locate] shows it parts of pictures: if what it names fills its "
            "photos, set locate.padding to the margin there, such as 0; else train with photos that `fieldfare dataset "
            "crop` cut"
        )
    if not locates:
        return (
            "the bundle learned photos that were cut around boxes, and locate.method is off, which shows it whole "
            'pictures: set it to "motion" or "model"'
        )
    if padding is not None and abs(padding - cut.padding) > _CLOSE:
        return (
            f"locate.padding is {padding:g}, and the bundle's photos were cut with {cut.padding:g}: leave it out, or "
            f"cut and train with --padding {padding:g}"
        )
    if min_size < cut.min_size - _CLOSE:
        return (
            f"locate.min_size is {min_size:g}, and no box in the bundle's photos was smaller than {cut.min_size:g}: "
            f"raise it, or cut and train with --min-size {min_size:g}"
        )
    return None
