"""Give a bundle's compiled model the new last layer too, if it leaves that layer on the CPU."""

from edge.bundle.store import Bundle
from edge.edgetpu.twin import check_twin, read_compiled
from edge.errors import BundleError, ModelError
from edge.teaching.last_layer import read_last_layer
from edge.teaching.remembering import bare
from edge.teaching.rewriting import NewLayer, with_last_layer


def leaves_last_layer(old: Bundle) -> bool:
    """Return whether the bundle has a compiled model that leaves its last layer on the CPU."""
    if old.edgetpu_model is None:
        return False
    try:
        return read_compiled(old.edgetpu_model).teachable
    except ModelError:  # a placeholder, or damaged: the new bundle is better off without it
        return False


def is_compiled_teachable(old: Bundle) -> bool:
    """Return whether the bundle's compiled model can be taught with the one for the CPU.

    Raises BundleError if it leaves its last layer on the CPU, but is not the twin of that model."""
    if not leaves_last_layer(old):
        return False
    assert old.edgetpu_model is not None
    try:
        check_twin(old.edgetpu_model, bare(old.model))
    except ModelError as error:
        raise BundleError(
            f"bundle {old.path}: compiled model: {error}: compile again, or add its own with --overwrite"
        ) from error
    return True


def taught_compiled(old: Bundle, new: NewLayer, model: bytes) -> bytes:
    """Return the compiled model of `old` with the new last layer. model: that for the CPU, which has it.

    Raises ModelError if it cannot be written there as in `model`."""
    assert old.edgetpu_model is not None
    made = with_last_layer(old.edgetpu_model, read_last_layer(old.edgetpu_model), new)
    check_twin(made, model)
    return made
