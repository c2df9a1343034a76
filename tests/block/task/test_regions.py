"""Prompts and classes for parts of a picture, in every pipeline."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import guidance, hub
from diffusion.block import (
    BlockError,
    Call,
    ClassToImage,
    Control,
    ImageToImage,
    Inpaint,
    Pipeline,
    Regions,
    TextToImage,
    Upscale,
    regional,
)
from diffusion.errors import MismatchError

from ...guidance.test_regions import HALVES, pixels
from ..small import ideal
from ..small import model as own
from .conftest import Both
from .controls import controlnet, seen

LEFT, RIGHT = HALVES
ALL = torch.ones(8, 8)


def latents(pipe: Pipeline, **given: Any) -> Tensor:
    found: Any = pipe.workflow(outputs=["latents"])(**given)
    return found


def halves(left: Tensor, right: Tensor) -> Tensor:
    return torch.where(LEFT.bool(), left, right)


@pytest.mark.parametrize("negative", [None, "a tree"])
def test_one_region_is_the_plain_prompt(stable: Both, negative: str | None) -> None:
    plain = TextToImage(stable.ours, 3)
    said = {"negative_prompt": negative, "images_per_prompt": 2, "seed": [1, 2, 3, 4]}
    wanted = latents(plain, prompt=["a cat", "the sea"], **said)
    for regions in ([(["a cat", "the sea"], ALL)], [], None):
        found = latents(regional(plain), prompt=["of", "the"] if regions else ["a cat", "the sea"],
                        regions=regions, **said)  # fmt: skip
        assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()
    assert (latents(plain, prompt=["of", "the"], **said) - wanted).abs().max() > 1e-3


def test_each_half_is_its_class() -> None:
    """A model that judges each pixel alone: nothing of one region reaches the other."""
    model = pixels(guidance=guidance.ClassifierFree(strength=1.0))
    plain = ClassToImage(model, 5)
    pipe = regional(plain)
    said = {"images_per_label": 2, "seed": [1, 2, 3, 4]}
    left, right, rest = (latents(plain, label=y, **said) for y in ([1, 2], [3, 3], [2, 1]))
    regions = [([1, 2], LEFT), (3, RIGHT)]
    found = latents(pipe, label=[2, 1], regions=regions, **said)
    assert torch.allclose(found, halves(left, right), atol=1e-6)
    found = latents(pipe, label=[2, 1], regions=regions[:1], **said)
    assert torch.allclose(found, halves(left, rest), atol=1e-6)  # the rest is the whole's
    quarters = torch.stack([LEFT, RIGHT] * 2)  # a mask for each sample
    found = latents(pipe, label=[2, 1], regions=[(3, quarters[:, None])], **said)
    wanted = [halves(a, b) for a, b in ((right, rest), (rest, right))]
    assert torch.allclose(found[0::2], wanted[0][0::2], atol=1e-6)
    assert torch.allclose(found[1::2], wanted[1][1::2], atol=1e-6)


def test_masks_that_overlap_are_mixed() -> None:
    """Two whole masks of weights 1 and 1/2: the mean of their means, 2/3 and 1/3."""
    pipe = regional(ClassToImage(pixels(), 5))
    found = latents(pipe, label=2, regions=[(1, ALL), (3, ALL / 2)], seed=0)
    first, second = (latents(pipe, label=y, seed=0) for y in (1, 3))
    assert torch.allclose(found, (2 * first + second) / 3, atol=1e-5)  # linear in y


def test_blocks_between_steps_still_run() -> None:
    steps: list[int] = []
    pipe = ImageToImage(pixels(), 5, each={"seen": Call(lambda step: steps.append(step))})
    start = torch.zeros(1, 1, 8, 8)
    given = {"latents": start, "label": 1, "strength": 1.0, "seed": 0}
    inner = regional(pipe.remove("read", "encode", "spread"))
    plain = latents(inner, **given)
    assert steps == [0, 1, 2, 3, 4]
    found = latents(inner, regions=[(1, ALL)], **given)
    assert torch.allclose(found, plain, atol=1e-6)
    assert len(steps) == 10


def test_known_places_stay_known() -> None:
    model, picture = own(labels=3), torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    pipe = regional(Inpaint(model, 5, output="tensor"))
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[4:] = True
    said = {"image": picture, "mask_image": mask, "label": 1, "seed": 0}
    found = pipe(regions=[(2, LEFT)], **said)
    assert torch.equal(found[..., :4, :], picture[..., :4, :])
    assert not torch.equal(found, pipe(**said))


def test_under_control(stable: Both, tmp_path: Path) -> None:
    """Pictures of control are seen by every region."""
    controlnet(tmp_path)
    plain = Control(stable.ours, hub.component(tmp_path), 2)
    said = {"control_image": seen(), "images_per_prompt": 2, "seed": [1, 2]}
    wanted = latents(plain, prompt="a cat", **said)
    found = latents(regional(plain), prompt="the", regions=[("a cat", ALL)], **said)
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_as_data(stable: Both, tmp_path: Path) -> None:
    model = hub.load(stable.folder, shape=(4, 8, 8))
    pipe = regional(TextToImage(model, 2, output="tensor"))
    pipe.save(tmp_path / "p.yaml")
    said = {"prompt": "a cat", "regions": [("the sea", LEFT)], "seed": 0}
    assert torch.equal(Pipeline.load(tmp_path / "p.yaml")(**said), pipe(**said))


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        ([1], r'pairs of what is asked for and a mask, such as \("a cat", left\); got 1'),
        ([(1, LEFT), (2, torch.ones(4, 4))], r"masks of one size; got \[\(4, 4\), \(8, 8\)\]"),
        ([([1, 2], LEFT)], "2 of .* for 1 samples"),
        ([(1, torch.ones(3, 8, 8)[:, None])], "3 masks of 1 for 1 samples"),
        ([(9, LEFT)], "class ids must be"),
    ],
)
def test_bad_regions(regions: Any, said: str) -> None:
    pipe = regional(ClassToImage(own(labels=3), 2))
    with pytest.raises(BlockError, match=said):
        pipe(label=1, regions=regions)


def test_pipelines_that_have_none() -> None:
    with pytest.raises(MismatchError, match="a block called denoise, a Denoise"):
        regional(Upscale(ideal()))
    with pytest.raises(MismatchError, match="neither prompts nor classes"):
        Regions(ideal())
