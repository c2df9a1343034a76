"""The same as test_agreement along straight paths: Stable Diffusion 3 and Flux."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from diffusion import hub
from diffusion.block import ImageToImage, TextToImage
from diffusion.sampling.grid import grid

from ...hub.pipelines import CASES, PROMPTS, TEXT, flux
from ...hub.text import tiny
from .controls import seen
from .trajectories import NEGATIVE, STEPS, ours, same, start, theirs


@pytest.mark.parametrize("name", ["FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler"])
def test_straight_paths(name: str, tmp_path: Path) -> None:
    """A tiny Stable Diffusion 3. Solvers of log-SNRs take the model's shift by themselves."""
    case = CASES["sd3"]
    other = case.make()
    other.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=(4, 8, 8))
    if name == "UniPCMultistepScheduler":
        other.scheduler = diffusers.UniPCMultistepScheduler(
            use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
        )
    wanted = theirs(other, **case.options, latents=start(), negative_prompt=NEGATIVE)
    pipe = TextToImage(model, STEPS, name)
    same(ours(pipe, prompt=PROMPTS, negative_prompt=NEGATIVE, noise=start()), wanted)


def test_flux(tmp_path: Path) -> None:
    other = tiny.pipeline("FluxPipeline", **flux())
    other.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=(4, 8, 8))
    packed = other._pack_latents(start(), 2, 4, 8, 8)
    last, states = theirs(other, **{**TEXT, "guidance_scale": 3.5}, latents=packed)
    wanted = [other._unpack_latents(one, 16, 16, other.vae_scale_factor) for one in states]
    found = ours(
        TextToImage(model, STEPS, "FlowMatchEulerDiscreteScheduler"), prompt=PROMPTS, noise=start()
    )
    same(found, (other._unpack_latents(last, 16, 16, other.vae_scale_factor), wanted))


@pytest.mark.parametrize("kind", ["StableDiffusion3", "Flux"])
def test_image_to_image_along_straight_paths(
    kind: str, drawn: Callable[[Any], Tensor], tmp_path: Path
) -> None:
    """Theirs begins at the second time of four, a share of shifted time: z = (1 - u)x + u·noise."""
    torch.manual_seed(0)
    parts = {"StableDiffusion3": CASES["sd3"].parts, "Flux": flux}[kind]()
    tiny.pipeline(f"{kind}Pipeline", **parts).save_pretrained(tmp_path)
    other, model = tiny.pipeline(f"{kind}Img2ImgPipeline", **parts), hub.load(
        tmp_path, shape=(4, 8, 8)
    )  # fmt: skip
    noise, picture = drawn(other), seen()
    scale = {"StableDiffusion3": 7.0, "Flux": 3.5}[kind]
    last, states = theirs(other, prompt=PROMPTS, image=picture, height=16, width=16,
                          guidance_scale=scale, strength=0.75)  # fmt: skip
    pipe = ImageToImage(model, STEPS, "FlowMatchEulerDiscreteScheduler")
    known = pipe["denoise"].model
    first = grid(known, STEPS, known.sampler)[1]
    found = ours(pipe, prompt=PROMPTS, image=picture, strength=first, seed=[1, 2])
    if kind == "Flux":
        last, *states = (other._unpack_latents(one, 16, 16, 2) for one in (last, *states))
    same(found, (last, states))
    assert len(found[1]) == 3
    begun = next(known.stream(  # the start itself, in closed form
        batch=2, steps=STEPS, x=known.encode(picture * 255).repeat(2, 1, 1, 1), strength=first,
        seed=[1, 2], guidance=pipe["denoise"].guidance,
    ))  # fmt: skip
    x = known.encode(picture * 255)
    assert torch.allclose(begun, (1 - first) * x + first * noise, atol=1e-5)
