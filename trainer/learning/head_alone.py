"""What a training that ends with the head makes no use of: its photos are seen as they are, and in their views."""

from dataclasses import fields

from trainer.options import Options

# They belong to the epochs of gradient training. The views of trainer.learning.learn.views_of are the head's, too.
_OF_EPOCHS = ("nights", "patience", "precision")


def unused_in_words(options: Options) -> str | None:
    """Return in one line which options that differ from their defaults the head alone does not use; None if it uses
    all of them."""
    defaults = {field.name: field.default for field in fields(Options)}
    given = [f"--{name}" for name in _OF_EPOCHS if getattr(options, name) != defaults[name]]
    parts = [f"makes no use of {', '.join(given)}"] if given else []
    if options.any_way_up:
        parts.append("turns photos by quarters only (--any-way-up)")
    return f"warning: only the head is trained, which {' and '.join(parts)}" if parts else None
