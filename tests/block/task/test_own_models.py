"""The tasks on models of this library."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion import Model, data, noise, schedule
from diffusion.block import (
    BlockError,
    ClassToImage,
    Control,
    ImageToImage,
    Inpaint,
    Observed,
    Outpaint,
    TextToVideo,
    Upscale,
)
from diffusion.errors import InputError, MismatchError
from diffusion.guidance.operator import Pool
from diffusion.net import UNet

from ..small import ideal
from ..small import model as own
from .conftest import Both


def picture(side: int = 8) -> torch.Tensor:
    return torch.arange(side * side, dtype=torch.uint8).reshape(1, 1, side, side)


def test_classes() -> None:
    model = own(labels=3)
    pipe = ClassToImage(model, steps=4, output="tensor")
    found = pipe(label=["class 2", 3], images_per_label=2, seed=[1, 2, 3, 4])
    wanted = model.sample(y=[2, 2, 3, 3], steps=4, seed=[1, 2, 3, 4])
    assert torch.equal(found, wanted)
    assert torch.equal(pipe(label="class 3", seed=[4]), wanted[3:])
    with pytest.raises(BlockError, match=r"no class 'clas 2'.*Did you mean 'class 2'"):
        pipe(label="clas 2")
    with pytest.raises(MismatchError, match=r"UNet knows no classes \(its labels are 0\)"):
        ClassToImage(own())


def test_a_picture_of_a_picture() -> None:
    """Little noise changes little, and much changes much."""
    pipe = ImageToImage(ideal(), steps=50, output="tensor")
    said = {"image": picture(), "batch": 2, "seed": 0}
    near, far = (pipe(**said, strength=s).float() for s in (0.04, 1.0))
    assert near.shape == (2, 1, 8, 8)
    assert (near - picture()).abs().mean() < 15 < (far - picture()).abs().mean()
    usual = ImageToImage(ideal(), steps=50, output="tensor", strength=0.04)
    assert torch.equal(usual(**said).float(), near)
    classes = ImageToImage(own(labels=2), steps=4, output="tensor")
    assert classes(image=picture(), label=[1, 2], images_per_label=2, seed=0).shape[0] == 4


def test_all_kinds_of_pictures_are_one() -> None:
    pipe = ImageToImage(own(), steps=5, output="tensor", strength=0.4)
    bytes_ = picture()
    array = bytes_[0, 0].numpy()
    forms: list[Any] = [
        bytes_, bytes_[0], bytes_ / 255, array, array[..., None], array[None, ..., None],
        Image.fromarray(array), [Image.fromarray(array)], np.float32(array / 255),
    ]  # fmt: skip
    first = pipe(image=forms[0], seed=1)
    assert all(torch.equal(pipe(image=one, seed=1), first) for one in forms)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(1, 1, 6, 8), r"expected 8×8 pixels \(height × width\).*got 6×8"),
        (torch.full((1, 1, 8, 8), 7.0), "floats in \\[0, 1\\]; got torch.float32 from 7 to 7"),
        (torch.zeros(1, 3, 8, 8), "expected 1 channels"),
        ("cat.png", "a picture of PIL, an array or a tensor; got str"),
        ([], "got none"),
    ],
)
def test_bad_pictures(image: Any, said: str) -> None:
    with pytest.raises(BlockError, match=said):
        ImageToImage(own(), steps=5)(image=image)


def test_inpainting_keeps_what_is_known() -> None:
    pipe = Inpaint(own(), steps=10, output="tensor")
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:, 4:] = True
    found = pipe(image=picture(), mask_image=mask, seed=[1, 2], batch=2)
    assert torch.equal(found[..., :4], picture().expand(2, 1, 8, 8)[..., :4])
    assert (found[..., 4:].int() - picture()[..., 4:].int()).abs().float().mean() > 10
    assert not torch.equal(found[0], found[1])
    alone = pipe(image=picture(), mask_image=mask, seed=[2])
    assert (found[1:].int() - alone.int()).abs().max() <= 1
    pipe(image=picture(), mask_image=mask)  # a seed of its own


def test_a_strength_for_inpainting() -> None:
    """With little noise even what may be painted stays near the picture."""
    pipe = Inpaint(ideal(), steps=50, output="tensor")
    said = {"image": picture(), "mask_image": torch.ones(8, 8), "seed": 0}
    near, far = (pipe(**said, strength=s).float() for s in (0.04, None))
    assert (near - picture()).abs().mean() < 15 < (far - picture()).abs().mean()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mask_image": torch.zeros(4, 8)}, "mask_image: expected 8×8 pixels.*got 1 of 4×8"),
        ({"mask_image": torch.zeros(3, 1, 8, 8)}, "one mask or one for each of 1 samples; got 3"),
        ({"mask_image": torch.zeros(8, 8), "strength": 1.5}, "in \\(0, 1\\].*got 1.5"),
    ],
)
def test_bad_masks(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BlockError, match=said):
        Inpaint(own(), steps=5)(image=picture(), **given)


def test_outpainting() -> None:
    pipe = Outpaint(own(), steps=10, output="tensor")
    small = picture(4)
    middle = pipe(image=small, seed=0)
    assert torch.equal(middle[..., 2:6, 2:6], small)
    corner = pipe(image=small, top=0, left=4, seed=0)
    assert torch.equal(corner[..., :4, 4:], small)
    with pytest.raises(BlockError, match="top: expected a picture within the model's 8 pixels"):
        pipe(image=small, top=5)


def upscaler(labels: int = 0) -> Any:
    torch.manual_seed(0)
    network = UNet((1, 8), labels, beside=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return Model(data.Images(), schedule.Cosine(100), noise.Gaussian("x"), network, shape=(1, 8, 8))


def test_two_stages() -> None:
    low = ClassToImage(own(side=4, labels=2), steps=3, output="tensor")
    pipe = Upscale(upscaler(), steps=3, low=low, output="tensor")
    found = pipe(label=[1, 2], seed=[7, 8])
    assert found.shape == (2, 1, 8, 8)
    small = low(label=[1, 2], seed=[7, 8])
    apart = Upscale(upscaler(), steps=3, output="tensor")
    assert torch.equal(apart(image=small, seed=[7, 8]), found)
    assert not torch.equal(apart(image=255 - small, seed=[7, 8]), found)


def test_both_stages_know_the_class() -> None:
    low, large = ClassToImage(own(side=4, labels=2), steps=3, output="tensor"), upscaler(labels=2)
    pipe = Upscale(large, steps=3, low=low, output="tensor")
    said = {"label": ["class 2", 1], "images_per_label": 2, "seed": [5, 6, 7, 8]}
    with pytest.raises(BlockError, match="no class 'class 2'; the model has no class names"):
        pipe(**said)
    said["label"] = [2, 1]
    small, found = low(**said), pipe(**said)
    enlarged = torch.nn.functional.interpolate(small / 127.5 - 1, size=8, mode="bicubic")
    y = {"y": torch.tensor([2, 2, 1, 1]), "beside": enlarged.clamp(-1, 1)}
    assert torch.equal(found, large.sample(y, steps=3, seed=[5, 6, 7, 8]))
    alone = Upscale(large, steps=3, output="tensor")
    assert torch.equal(alone(image=small, label=[2, 1], seed=[5, 6, 7, 8]), found)
    assert not torch.equal(alone(image=small, seed=[5, 6, 7, 8]), found)
    with pytest.raises(BlockError, match="label: expected one, or one for each of 4 pictures; go"):
        alone(image=small, label=[1, 2, 1], seed=0)
    assert "label" not in Upscale(upscaler(), steps=3).ports().inputs


def test_upscaling_by_guidance_of_a_class() -> None:
    model = own(labels=2)
    small = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    pipe = Upscale(model, steps=4, operator=Pool(2), output="tensor")
    first, second = (pipe(image=small, label=ids, seed=0) for ids in ([1, 1], [1, 2]))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


def test_upscaling_by_guidance() -> None:
    """Nothing was trained for it: means of 2×2 pixels become those that were given."""
    model = ideal()
    small = torch.linspace(0.2, 0.8, 16).reshape(1, 1, 4, 4)
    pipe = Upscale(model, steps=20, operator=Pool(2), output="tensor",
                   guidance=Observed(Pool(2), noise=0.02))  # fmt: skip
    found = pipe(image=small, seed=0).float() / 255
    plain = model.sample(batch=1, steps=20, seed=0).float() / 255
    gaps = [float((Pool(2)(one) - small).abs().mean()) for one in (found, plain)]
    assert gaps[0] < 0.01 < 10 * gaps[0] < gaps[1]


def test_tasks_that_do_not_fit(stable: Both) -> None:
    with pytest.raises(MismatchError, match="an operator acts on pixels"):
        Upscale(stable.ours, operator=Pool(2))
    with pytest.raises(MismatchError, match="no videos"):
        TextToVideo(stable.ours)
    with pytest.raises(InputError, match=r"a ControlNetModel or a T2IAdapter.*got Linear"):
        Control(stable.ours, torch.nn.Linear(1, 1))  # type: ignore[arg-type]
