"""The families of MobileNets, and how a choice is checked before anything is loaded."""

import subprocess
import sys

import pytest

from edge.errors import ModelError
from trainer.networks.families import FAMILIES, Network


def test_a_network_has_a_title_for_people() -> None:
    assert Network("mobilenet_v2", 0.35, 224).title == "MobileNetV2 0.35 224"
    assert Network("mobilenet_v1", 1.0, 96).title == "MobileNetV1 1 96"


@pytest.mark.parametrize("architecture", FAMILIES)
def test_every_width_and_size_that_has_imagenet_weights_passes_without_a_remark(architecture: str) -> None:
    family = FAMILIES[architecture]
    remarks = {Network(architecture, alpha, size).check("imagenet") for alpha in family.alphas for size in family.sizes}
    assert remarks == {None}


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (Network("mobilenet_v1", 0.35, 224), "0.25, 0.5, 0.75, 1"),
        (Network("mobilenet_v2", 0.4, 224), "0.35, 0.5, 0.75, 1, 1.3, 1.4"),
        (Network("mobilenet_v3_small", 0.75, 224), "1"),
        (Network("mobilenet_v3_large", 1.4, 224), "1"),
    ],
    ids=lambda value: value.title if isinstance(value, Network) else "",
)
def test_a_width_without_imagenet_weights_is_refused_with_those_that_have_them(network: Network, widths: str) -> None:
    with pytest.raises(ModelError) as refused:
        network.check("imagenet")
    assert str(refused.value) == (
        f"--alpha {network.alpha:g}: there are ImageNet weights of {network.family.title} for {widths}: "
        "take one of those, or --weights none"
    )


@pytest.mark.parametrize("weights", ["none", "birds_no_top.h5"])
def test_without_imagenet_weights_any_width_will_do(weights: str) -> None:
    assert Network("mobilenet_v2", 0.4, 224).check(weights) is None


@pytest.mark.parametrize(
    ("architecture", "size", "near"),
    [
        ("mobilenet_v1", 96, 128),
        ("mobilenet_v2", 64, 96),
        ("mobilenet_v2", 112, 96),  # as near to 128: the smaller one
        ("mobilenet_v2", 320, 224),
        ("mobilenet_v3_small", 96, 224),
    ],
)
def test_a_size_that_the_weights_were_not_learned_at_is_remarked_on(architecture: str, size: int, near: int) -> None:
    remark = Network(architecture, 1.0, size).check("imagenet")
    assert remark == f"the weights were learned at other sizes than {size}: {near} is the nearest of theirs"


@pytest.mark.parametrize("weights", ["none", "birds_no_top.h5"])
@pytest.mark.parametrize(("size", "remarked"), [(32, False), (96, False), (100, True), (224, False), (319, True)])
def test_a_size_that_is_no_multiple_of_32_is_remarked_on(weights: str, size: int, remarked: bool) -> None:
    remark = Network("mobilenet_v2", 0.35, size).check(weights)
    assert (remark is not None) is remarked
    if remarked:
        assert remark.startswith(f"--size {size} is no multiple of 32")


def test_the_command_line_can_check_a_network_without_tensorflow() -> None:
    code = "import sys, trainer.networks.families, trainer.options; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
