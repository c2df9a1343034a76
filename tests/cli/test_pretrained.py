"""The commands on folders in the format of Diffusers."""

from pathlib import Path

from PIL import Image

from tests.hub.pipelines import CASES, ddim
from tests.hub.text import tiny

from .conftest import Shell


def test_a_pipeline_of_pictures(shell: Shell) -> None:
    tiny.pipeline("DDIMPipeline", **ddim()).save_pretrained("ddim")
    told = shell("info", "ddim")
    assert told.code == 0, told.error
    assert "UNet2DModel" in told.out
    assert "Betas" in told.out
    drawn = shell("sample", "ddim", "-n", "4", "--steps", "3", "-o", "four.png")
    assert drawn.code == 0, drawn.error
    assert Image.open("four.png").mode == "RGB"
    wrong = shell("info", "ddim", "--yaml")
    assert wrong.code == 1
    assert "has no model.yaml" in wrong.error


def test_prompts(shell: Shell) -> None:
    CASES["sd"].make().save_pretrained("sd")
    words = ("sample", "sd", "-n", "2", "--steps", "2", "--sampler", "UniPC", "-o")
    for prompt in ("a cat", "a dog"):
        drawn = shell(*words, f"{prompt}.png", "--prompt", prompt)
        assert drawn.code == 0, drawn.error
    assert Path("a cat.png").read_bytes() != Path("a dog.png").read_bytes()


def test_a_folder_of_neither_kind(shell: Shell) -> None:
    Path("nothing").mkdir()
    answer = shell("sample", "nothing")
    assert answer.code == 1
    assert "nothing" in answer.error
