"""A tiny Wan beside Diffusers' own pipeline: the same latents, and frames of them."""

from pathlib import Path

import diffusers
import torch

from diffusion import hub
from diffusion.block import TextToVideo

from ...hub.pipelines import PROMPTS, spread
from ...hub.text import tiny
from ...hub.text.cases import UMT5
from .trajectories import CLOSE, gap, ours, theirs


def test_videos(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = spread(diffusers.WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, num_layers=1, in_channels=2, out_channels=2,
        text_dim=16, freq_dim=8, ffn_dim=20,
    ))  # fmt: skip
    autoencoder = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=2, num_res_blocks=1, latents_mean=[0.1, -0.2], latents_std=[1.5, 2.0]
    )
    other = tiny.pipeline(
        "WanPipeline", **UMT5(), transformer=network, vae=autoencoder,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip
    other.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=(2, 2, 4, 4))
    z = torch.randn(2, 2, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    wanted = theirs(
        other, prompt=PROMPTS, negative_prompt=["a tree", "the sea"], height=32, width=32,
        num_frames=5, guidance_scale=5.0, latents=z,
    )  # fmt: skip
    said = {"prompt": PROMPTS, "negative_prompt": ["a tree", "the sea"], "noise": z}
    pipe = TextToVideo(model, steps=4, output="tensor")
    found = ours(pipe, **said)
    assert gap(found[0], wanted[0]) < CLOSE
    assert len(found[1]) == len(wanted[1]) == 4
    videos = pipe(**said)
    assert videos.shape == (2, 3, 5, 32, 32)
    frames = TextToVideo(model, steps=4)(**said)
    assert [len(film) for film in frames] == [5, 5]
    assert frames[1][2].getpixel((3, 7)) == tuple(videos[1, :, 2, 7, 3].tolist())
