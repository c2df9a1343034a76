"""Whole pipelines of Diffusers with tiny networks, and what they sample from given latents."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffusers
import torch
from torch import Tensor

from .text import tiny
from .text.cases import flux as flux_text
from .text.cases import one, sd3

LATENTS = (2, 4, 8, 8)
PROMPTS = ["a cat", "the dog of a garden"]
STEPS = 4


class Case(NamedTuple):
    """A pipeline, its components, and the options of its call beside latents and steps."""

    pipeline: str
    parts: Callable[[], dict[str, Any]]
    options: dict[str, Any]
    y: Any
    latents: tuple[int, ...] = LATENTS

    def make(self) -> Any:
        """The pipeline, the same each time."""
        torch.manual_seed(0)
        made = tiny.pipeline(self.pipeline, **self.parts())
        made.set_progress_bar_config(disable=True)
        return made

    def start(self) -> Tensor:
        """Standard normal latents."""
        return torch.randn(self.latents, generator=torch.Generator().manual_seed(1))

    def theirs(self, pipeline: Any) -> Tensor:
        """Its last latents."""
        found: Tensor = pipeline(
            **self.options, latents=self.start(), num_inference_steps=STEPS, output_type="latent",
            return_dict=False,
        )[0]  # fmt: skip
        return found


def spread(network: Any) -> Any:
    """Move every parameter away from its initial value: many are zeros."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return network.eval()


def unet(**options: Any) -> Any:
    return spread(diffusers.UNet2DModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), **options,
    ))  # fmt: skip


def conditioned(width: int, **options: Any) -> Any:
    return spread(diffusers.UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), attention_head_dim=4,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=width, **options,
    ))  # fmt: skip


def vae(**options: Any) -> Any:
    return spread(diffusers.AutoencoderKL(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        **options,
    ))  # fmt: skip


def betas(name: str, **options: Any) -> Any:
    return getattr(diffusers, f"{name}Scheduler")(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **options
    )


def ddim() -> dict[str, Any]:
    return {"unet": unet(), "scheduler": diffusers.DDIMScheduler(clip_sample=True)}


def ldm() -> dict[str, Any]:
    autoencoder = spread(diffusers.VQModel(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=3, num_vq_embeddings=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ))  # fmt: skip
    return {"vqvae": autoencoder, "unet": unet(), "scheduler": betas("DDIM", clip_sample=False)}


def dit() -> dict[str, Any]:
    network = spread(diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        sample_size=8, num_embeds_ada_norm=1000,
    ))  # fmt: skip
    return {"transformer": network, "vae": vae(),
            "scheduler": diffusers.DDIMScheduler(clip_sample=False)}  # fmt: skip


def sd(scheduler: Any = None, **options: Any) -> dict[str, Any]:
    text = one(lambda: tiny.clip(8), tiny.clip_tokenizer)
    stable = betas("DDIM", clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    chosen = stable if scheduler is None else scheduler
    return {**text, "unet": conditioned(8, **options), "vae": vae(), "scheduler": chosen,
            "requires_safety_checker": False}  # fmt: skip


def xl() -> dict[str, Any]:
    first = one(lambda: tiny.clip(8), tiny.clip_tokenizer)
    second = {"text_encoder_2": tiny.clip(12, True), "tokenizer_2": tiny.clip_tokenizer()}
    network = conditioned(
        20, addition_embed_type="text_time", addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 16, use_linear_projection=True,
    )  # fmt: skip
    euler = betas("EulerDiscrete", timestep_spacing="leading", steps_offset=1)
    return {**first, **second, "unet": network, "vae": vae(), "scheduler": euler,
            "add_watermarker": False}  # fmt: skip


def pixart() -> dict[str, Any]:
    network = spread(diffusers.PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        sample_size=8, caption_channels=16, cross_attention_dim=16,
    ))  # fmt: skip
    text = one(lambda: tiny.t5(16), tiny.t5_tokenizer)
    return {**text, "transformer": network, "vae": vae(),
            "scheduler": diffusers.DPMSolverMultistepScheduler()}  # fmt: skip


def stable3() -> dict[str, Any]:
    flow = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    parts = sd3(True)
    network = spread(diffusers.SD3Transformer2DModel(
        sample_size=8, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=16,
        pooled_projection_dim=28, pos_embed_max_size=8,
    ))  # fmt: skip
    return {**parts, "transformer": network, "vae": vae(shift_factor=0.1), "scheduler": flow}


def flux() -> dict[str, Any]:
    network = spread(diffusers.FluxTransformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=8,
        guidance_embeds=True, axes_dims_rope=(4, 4, 8),
    ))  # fmt: skip
    return {**flux_text(), "transformer": network, "vae": vae(shift_factor=0.1),
            "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)}  # fmt: skip


TEXT = {"prompt": PROMPTS, "height": 16, "width": 16}
SCHEDULERS = {
    "euler": lambda: betas("EulerDiscrete", timestep_spacing="leading", steps_offset=1),
    "dpm++": lambda: betas("DPMSolverMultistep", timestep_spacing="leading", steps_offset=1),
    "unipc": lambda: betas("UniPCMultistep"),
    "pndm": lambda: betas("PNDM", skip_prk_steps=True, steps_offset=1),
}
CASES = {
    "sd": Case("StableDiffusionPipeline", sd, {**TEXT, "guidance_scale": 7.5}, PROMPTS),
    **{
        f"sd-{name}": Case(
            "StableDiffusionPipeline", lambda make=make: sd(make()),
            {**TEXT, "guidance_scale": 7.5}, PROMPTS,
        )
        for name, make in SCHEDULERS.items()
    },
    "xl": Case("StableDiffusionXLPipeline", xl, {**TEXT, "guidance_scale": 5.0}, PROMPTS),
    "pixart": Case(
        "PixArtSigmaPipeline", pixart,
        {**TEXT, "guidance_scale": 4.5, "use_resolution_binning": False}, PROMPTS,
    ),
    "sd3": Case("StableDiffusion3Pipeline", stable3, {**TEXT, "guidance_scale": 7.0}, PROMPTS),
}  # fmt: skip
