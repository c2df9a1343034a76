"""U-Nets with nine channels as folders, and in pipelines that say nothing of a mask."""

from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion import hub
from diffusion.block import Around, BlockError, Hold, Inpaint, Pipeline, TextToImage
from diffusion.errors import MismatchError

from ...hub.pipelines import CASES, sd
from ..small import model as own
from .controls import seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("painting")
    case = CASES["sd"]._replace(
        pipeline="StableDiffusionInpaintPipeline", parts=lambda: sd(in_channels=9)
    )
    case.make().save_pretrained(made)
    return made


def masked(**more: Any) -> dict[str, Any]:
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[:8] = True
    return {"prompt": "a cat", "image": seen(), "mask_image": mask, "seed": 0, **more}


def test_folders_and_files(folder: Path, tmp_path: Path) -> None:
    """As a folder of Diffusers again, and as a pipeline's file: the same pictures."""
    model = hub.load(folder, shape=(4, 8, 8))
    wanted = Inpaint(model, 2, output="tensor")(**masked())
    model.save(tmp_path / "again", format="diffusers")
    again = hub.load(tmp_path / "again", shape=(4, 8, 8))
    pipe = Inpaint(again, 2, output="tensor")
    assert torch.equal(pipe(**masked()), wanted)
    pipe.save(tmp_path / "p.yaml")
    assert torch.equal(Pipeline.load(tmp_path / "p.yaml")(**masked()), wanted)


def test_beside_hold_and_without_a_mask(folder: Path) -> None:
    model = hub.load(folder, shape=(4, 8, 8))
    held = Inpaint(model, 2, each={"hold": Hold(model)}).workflow(outputs=["latents"])
    found: Any = held(**masked())
    known = model.encode(seen() * 255)
    assert torch.allclose(found[..., 4:, :], known[..., 4:, :], atol=1e-6)
    whole = Inpaint(model, 2).workflow(outputs=["latents"])(**masked())
    assert not torch.allclose(whole[..., 4:, :], known[..., 4:, :], atol=1e-2)
    free: Any = TextToImage(model, 2).workflow(outputs=["latents"])(prompt="a cat", seed=0)
    assert free.isfinite().all()


def test_what_does_not_fit(folder: Path) -> None:
    with pytest.raises(MismatchError, match="use Hold between steps"):
        Around(own())
    pipe = Inpaint(hub.load(folder, shape=(4, 8, 8)), 2)
    with pytest.raises(BlockError, match="2 pictures for 3 samples"):
        pipe(**masked(prompt=["a", "cat", "of"], image=torch.cat([seen(1), seen(2)])))
