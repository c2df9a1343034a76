"""Folders that Diffusers wrote, sampled by ours and by its own pipelines from the same latents."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion import hub

from .pipelines import CASES, PROMPTS, STEPS, TEXT, ddim, dit, flux, ldm
from .text import tiny

TRAJECTORY = 1e-4
"""Largest difference at the end, relative to the largest latent: the networks agree to 1e-5, and a
guidance strength of 6.5 raises that."""


def last(model: object, z: Tensor, **options: object) -> Tensor:
    *_, found = model.stream(z=z, steps=STEPS, **options)
    return found


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("name", [*CASES])
def test_a_pipeline_gives_the_same_latents(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    theirs = case.make()
    theirs.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=case.latents[1:])
    with torch.no_grad():
        want = case.theirs(theirs)
    assert gap(last(model, case.start(), y=case.y), want) < TRAJECTORY


def test_flux(tmp_path: Path) -> None:
    """Its latents are tokens of patches outside too; they are a picture here."""
    theirs = tiny.pipeline("FluxPipeline", **flux())
    theirs.set_progress_bar_config(disable=True)
    theirs.save_pretrained(tmp_path)
    model = hub.load(tmp_path, shape=(4, 8, 8))
    z = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    tokens = theirs(
        **TEXT, guidance_scale=3.5, latents=theirs._pack_latents(z, 2, 4, 8, 8),
        num_inference_steps=STEPS, output_type="latent", return_dict=False,
    )[0]  # fmt: skip
    want = theirs._unpack_latents(tokens, 16, 16, theirs.vae_scale_factor)
    assert gap(last(model, z, y=PROMPTS), want) < TRAJECTORY


def test_dit(tmp_path: Path) -> None:
    """It draws its own latents, and decodes them; classes count from 1 here."""
    theirs = tiny.pipeline("DiTPipeline", **dit())
    theirs.save_pretrained(tmp_path)
    index = tmp_path / "model_index.json"  # names are in the published file, and not written here
    names = {i: f"thing {i}" for i in range(1000)}
    index.write_text(json.dumps(json.loads(index.read_text()) | {"id2label": names}))
    model = hub.load(tmp_path)
    want = theirs(
        [1, 4], guidance_scale=4.0, generator=torch.Generator().manual_seed(1), output_type="np",
        num_inference_steps=STEPS, return_dict=False,
    )[0]  # fmt: skip
    z = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = model.data.inner.encode(model.sample(y=["thing 1", "thing 4"], z=z, steps=STEPS))
    pictures = torch.from_numpy(want).permute(0, 3, 1, 2) * 2 - 1
    assert float((ours - pictures).abs().max()) <= 1 / 255 + TRAJECTORY  # bytes
    assert float(pictures.std()) > 0.05


def test_pixels(tmp_path: Path) -> None:
    """`DDIMPipeline` draws its own noise as well; `clip_sample` is a guidance here."""
    theirs = tiny.pipeline("DDIMPipeline", **ddim())
    theirs.save_pretrained(tmp_path)
    model = hub.load(tmp_path)
    draws = torch.Generator().manual_seed(1)
    want = theirs(2, draws, num_inference_steps=STEPS, output_type="np", return_dict=False)[0]
    z = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = last(model, z).clamp(-1, 1)
    pictures = torch.from_numpy(want).permute(0, 3, 1, 2) * 2 - 1
    assert float((ours - pictures).abs().max()) < TRAJECTORY


def test_latents_of_a_codebook(tmp_path: Path) -> None:
    theirs = tiny.pipeline("LDMPipeline", **ldm())
    theirs.save_pretrained(tmp_path)
    model = hub.load(tmp_path)
    draws = torch.Generator().manual_seed(1)
    want = theirs(2, draws, num_inference_steps=STEPS, output_type="np", return_dict=False)[0]
    z = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = model.data.inner.encode(model.sample(z=z, steps=STEPS))
    pictures = torch.from_numpy(want).permute(0, 3, 1, 2) * 2 - 1
    assert float((ours - pictures).abs().max()) <= 1 / 255 + TRAJECTORY
