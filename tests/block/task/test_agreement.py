"""Trajectories beside those of Diffusers' own pipelines: the same weights, the same noise.

Where definitions differ, the tests say so: latents of pictures are the posterior's mean here and a
draw there, and a strength is a share of time here and of the number of steps there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from diffusion import hub
from diffusion.block import (
    Control,
    ImageToImage,
    Inpaint,
    TextToImage,
)
from diffusion.sampling.grid import grid

from ...hub.pipelines import CASES, PROMPTS, TEXT, sd
from ...hub.text import tiny
from .conftest import Both
from .controls import adapter, controlnet, seen
from .trajectories import CLOSE, NEGATIVE, SIZE, STEPS, gap, ours, same, start, theirs

SCHEDULERS = (
    "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
)  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULERS)
def test_text_to_image(stable: Both, name: str) -> None:
    stable.theirs.scheduler = stable.scheduler(name)
    pipe = TextToImage(stable.ours, STEPS, name)
    same(ours(pipe, prompt=PROMPTS, noise=start()), theirs(stable.theirs, **TEXT, latents=start()))


def test_negative_prompts(stable: Both) -> None:
    stable.theirs.scheduler = stable.scheduler("DDIMScheduler")
    wanted = theirs(stable.theirs, **TEXT, latents=start(), negative_prompt=NEGATIVE)
    pipe = TextToImage(stable.ours, STEPS, "DDIMScheduler")
    same(ours(pipe, prompt=PROMPTS, negative_prompt=NEGATIVE, noise=start()), wanted)
    assert gap(ours(pipe, prompt=PROMPTS, noise=start())[0], wanted[0]) > 100 * CLOSE


def test_several_images_of_each_prompt(stable: Both) -> None:
    stable.theirs.scheduler = stable.scheduler("DDIMScheduler")
    wanted = theirs(
        stable.theirs, **TEXT, latents=start(6), num_images_per_prompt=3, negative_prompt=NEGATIVE
    )
    pipe = TextToImage(stable.ours, STEPS, "DDIMScheduler")
    given = {"prompt": PROMPTS, "negative_prompt": NEGATIVE, "images_per_prompt": 3}
    same(ours(pipe, **given, noise=start(6)), wanted)


def beside(stable: Both, pipeline: str, scheduler: str, **more: Any) -> Any:
    parts = {k: v for k, v in stable.theirs.components.items() if k != "image_encoder"}
    made = tiny.pipeline(pipeline, **{
        **parts, "scheduler": stable.scheduler(scheduler), "requires_safety_checker": False, **more,
    })  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("name", SCHEDULERS)
def test_image_to_image(stable: Both, name: str, drawn: Callable[[Any], Tensor]) -> None:
    """Theirs begins at the second time of four; that time is the strength here."""
    other = beside(stable, "StableDiffusionImg2ImgPipeline", name)
    drawn(other)
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    wanted = theirs(other, prompt=PROMPTS, image=picture, strength=0.75)
    pipe = ImageToImage(stable.ours, STEPS, name)
    model = pipe["denoise"]["model"]
    first = grid(model, STEPS, model.sampler)[STEPS - 3]
    strength = first / 1000 if isinstance(first, int) else first
    found = ours(pipe, prompt=PROMPTS, image=picture, strength=strength, seed=[1, 2])
    same(found, wanted)
    assert len(found[1]) == 3


@pytest.mark.parametrize("name", SCHEDULERS)
def test_inpainting(stable: Both, name: str, drawn: Callable[[Any], Tensor]) -> None:
    """Theirs mixes before what its callback sees; the same known noise after each step."""
    other = beside(stable, "StableDiffusionInpaintPipeline", name)
    drawn(other)
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 2:10] = 1
    wanted = theirs(
        other, prompt=PROMPTS, image=picture, mask_image=mask, height=16, width=16, strength=1.0
    )
    pipe = Inpaint(stable.ours, STEPS, name)
    same(ours(pipe, prompt=PROMPTS, image=picture, mask_image=mask, seed=[1, 2]), wanted)


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler"])
def test_inpainting_by_a_network_that_was_trained_for_it(
    name: str, drawn: Callable[[Any], Tensor], tmp_path: Path
) -> None:
    """Nine channels: latents, the mask, and latents of the picture without what it hides."""
    case = CASES["sd"]._replace(
        pipeline="StableDiffusionInpaintPipeline", parts=lambda: sd(in_channels=9)
    )
    other = case.make()
    other.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=(4, 8, 8))
    other.scheduler = getattr(diffusers, name).from_pretrained(tmp_path, subfolder="scheduler")
    drawn(other)
    picture = seen()
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 2:10] = 1
    given = {"prompt": PROMPTS, "image": picture, "mask_image": mask, "negative_prompt": NEGATIVE}
    wanted = theirs(other, **given, height=16, width=16, strength=1.0)
    pipe = Inpaint(model, STEPS, name)
    same(ours(pipe, **given, seed=[1, 2]), wanted)
    for changed in ({"mask_image": 1 - mask}, {"image": 1 - picture}):
        assert gap(ours(pipe, **{**given, **changed}, seed=[1, 2])[0], wanted[0]) > 10 * CLOSE


def controls(made: Callable[..., Any], folder: Path, count: int) -> tuple[list[Any], list[Any]]:
    """Theirs, and the same as ours."""
    other = [made(folder / str(i), seed=i) for i in range(count)]
    return other, [hub.component(folder / str(i)) for i in range(count)]


@pytest.mark.parametrize("scale", [[0.7], [0.7, 0.4]])
def test_controlnet(stable: Both, tmp_path: Path, scale: list[float]) -> None:
    """One, and several: what they add to the U-Net is summed."""
    other, networks = controls(controlnet, tmp_path, len(scale))
    images = [seen(i) for i in range(len(scale))]
    cut = (lambda one: one[0]) if len(scale) == 1 else (lambda one: one)
    pipeline = beside(
        stable, "StableDiffusionControlNetPipeline", "DDIMScheduler", controlnet=cut(other)
    )
    wanted = theirs(pipeline, **TEXT, image=cut(images), latents=start(),
                    controlnet_conditioning_scale=cut(scale))  # fmt: skip
    pipe = Control(stable.ours, cut(networks), STEPS, "DDIMScheduler", scale=cut(scale))
    same(ours(pipe, prompt=PROMPTS, control_image=cut(images), noise=start()), wanted)


@pytest.mark.parametrize("scale", [[0.5], [0.5, 0.9]])
def test_adapter(stable: Both, tmp_path: Path, scale: list[float]) -> None:
    """Theirs has no callback of this kind; it wants a picture for each prompt."""
    other, networks = controls(adapter, tmp_path, len(scale))
    images = [seen(i) for i in range(len(scale))]
    cut = (lambda one: one[0]) if len(scale) == 1 else (lambda one: one)
    pipeline = beside(stable, "StableDiffusionAdapterPipeline", "DDIMScheduler", adapter=cut(other))
    given = [one.repeat(2, 1, 1, 1) for one in images]
    with torch.no_grad():
        wanted = pipeline(
            **{**SIZE, **TEXT}, image=cut(given), latents=start(), output_type="latent",
            adapter_conditioning_scale=cut(scale),
        )[0]  # fmt: skip
    pipe = Control(stable.ours, cut(networks), STEPS, "DDIMScheduler", scale=cut(scale))
    found = ours(pipe, prompt=PROMPTS, control_image=cut(images), noise=start())[0]
    assert gap(found, wanted) < CLOSE
