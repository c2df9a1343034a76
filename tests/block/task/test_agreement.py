"""Trajectories beside those of Diffusers' own pipelines: the same weights, the same noise.

Where definitions differ, the tests say so: latents of pictures are the posterior's mean here and a
draw there, and a strength is a share of time here and of the number of steps there.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from diffusion import hub, rng
from diffusion.block import (
    Call,
    Control,
    ImageToImage,
    Inpaint,
    Pipeline,
    TextToImage,
)
from diffusion.sampling.grid import grid

from ...hub.pipelines import CASES, PROMPTS, TEXT, flux, spread
from ...hub.text import tiny
from .conftest import Both

STEPS = 4
SCHEDULERS = (
    "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
)  # fmt: skip
CLOSE = 1e-4
NEGATIVE = ["a tree", "the sea"]
SIZE = {"guidance_scale": 7.5, "num_inference_steps": STEPS, "return_dict": False}


def gap(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference in an image, relative to its largest latent."""
    apart = (ours - theirs).abs().flatten(1).amax(1) / theirs.abs().flatten(1).amax(1)
    return float(apart.max())


def start(count: int = 2) -> Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def theirs(pipeline: Any, **options: Any) -> tuple[Tensor, list[Tensor]]:
    """Their last latents, and those after each step."""
    states: list[Tensor] = []

    def seen(own: Any, step: int, t: Any, kept: dict[str, Tensor]) -> dict[str, Tensor]:
        scale = 1.0
        if isinstance(own.scheduler, diffusers.EulerDiscreteScheduler):  # its states are z/signal
            scale = float(1 + own.scheduler.sigmas[own.scheduler.step_index] ** 2) ** -0.5
        states.append(kept["latents"] * scale)
        return kept

    pipeline.set_progress_bar_config(disable=True)
    last = pipeline(**{**SIZE, **options}, output_type="latent", callback_on_step_end=seen)[0]
    return last, states


def ours(pipe: Pipeline, **given: Any) -> tuple[Tensor, list[Tensor]]:
    """The same of a pipeline with the block `watch` between its steps."""
    latents = pipe.workflow(outputs=["latents"])
    states: list[Tensor] = []
    each = {**pipe["denoise"].each, "seen": Call(lambda state: states.append(state.clone()))}
    last: Any = latents.replace({"denoise.each": each})(**given)
    return last, states


def same(found: tuple[Tensor, list[Tensor]], wanted: tuple[Tensor, list[Tensor]]) -> None:
    assert len(found[1]) == len(wanted[1]) > 1
    for own, other in zip((*found[1], found[0]), (*wanted[1], wanted[0]), strict=True):
        assert gap(own, other) < CLOSE


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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Tensor]:
    """Makes a pipeline of theirs draw the noise that seeds 1 and 2 are here, and no latents."""
    noise = rng.samples([1, 2], 2).normal(torch.empty(2, 4, 8, 8))

    def patch(pipeline: Any) -> Tensor:
        module = import_module(type(pipeline).__module__)
        monkeypatch.setattr(module, "randn_tensor", lambda *_, **__: noise.clone())
        return noise

    monkeypatch.setattr(
        DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode()
    )
    return patch


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


def test_controlnet(stable: Both, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = spread(diffusers.ControlNetModel(
        layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=8,
        conditioning_embedding_out_channels=(4, 8),
    ))  # fmt: skip
    network.save_pretrained(tmp_path)
    other = beside(stable, "StableDiffusionControlNetPipeline", "DDIMScheduler", controlnet=network)
    edges = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    wanted = theirs(other, **TEXT, image=edges, latents=start(), controlnet_conditioning_scale=0.7)
    pipe = Control(stable.ours, hub.component(tmp_path), STEPS, "DDIMScheduler", scale=0.7)
    same(ours(pipe, prompt=PROMPTS, control_image=edges, noise=start()), wanted)


def test_adapter(stable: Both, tmp_path: Path) -> None:
    """Theirs has no callback of this kind; it wants a picture for each prompt."""
    torch.manual_seed(0)
    network = spread(diffusers.T2IAdapter(channels=(16, 32), num_res_blocks=1, downscale_factor=2))
    network.save_pretrained(tmp_path)
    other = beside(stable, "StableDiffusionAdapterPipeline", "DDIMScheduler", adapter=network)
    depth = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = other(
            **{**SIZE, **TEXT}, image=depth.repeat(2, 1, 1, 1), latents=start(),
            output_type="latent", adapter_conditioning_scale=0.5,
        )[0]  # fmt: skip
    pipe = Control(stable.ours, hub.component(tmp_path), STEPS, "DDIMScheduler", scale=0.5)
    found = ours(pipe, prompt=PROMPTS, control_image=depth, noise=start())[0]
    assert gap(found, wanted) < CLOSE


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
