"""`diffusion run`, `show`, `doctor` and `lock`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from diffusion import Model
from diffusion.block import Decode, Denoise, Pipeline

from ..block.file.blocks import Darken
from ..block.file.conftest import tiny
from .conftest import Shell

BLOCKS = """\
from typing import Annotated, Any
from collections.abc import Sequence
from torch import Tensor
from diffusion.block import Block


class Say(Block):
    punctuation: str = "!"

    def __call__(
        self, prompt: str | Sequence[str], image: Tensor | None = None, loud: bool = False,
        scale: float = 1.0, sizes: list[int] = [],
    ) -> Annotated[Any, "said"]:
        text = [prompt] if isinstance(prompt, str) else list(prompt)
        mean = None if image is None else float(image.float().mean())
        shape = None if image is None else list(image.shape)
        return {"text": [one + self.punctuation for one in text], "loud": loud, "scale": scale,
                "sizes": sizes, "mean": mean, "shape": shape, "image": image}
"""
CUSTOM = ("--custom", "mine.py:Say")


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A folder with a model, two pipelines and a file with a block of one's own."""
    folder = tmp_path_factory.mktemp("pipelines")
    tiny().save(folder / "digits")
    model = Model.load(folder / "digits")
    Pipeline(denoise=Denoise(model, steps=4), decode=Decode(model)).save(folder / "p.yaml")
    (folder / "mine.py").write_text(BLOCKS)
    (folder / "say.yaml").write_text(
        "format: 1\npipeline: {id: block.Pipeline, blocks: {say: {id: custom.Say}}}\n"
    )
    return folder


@pytest.fixture
def there(saved, monkeypatch):
    monkeypatch.chdir(saved)
    return Shell(saved)


def said(there, *words):
    answer = there("run", "say.yaml", *words, *CUSTOM, "--out", "said")
    assert answer.code == 0, answer.error
    return json.loads(Path("said/outputs.json").read_text())["said"]


def test_pictures_are_those_of_the_pipeline(there):
    answer = there("run", "p.yaml", "--seed", "3", "--batch", "2", "--set", "denoise.steps=3",
                   "--set", "denoise.sampler={id: sampler.DDIM, eta: 0.5}", "-o", "o")  # fmt: skip
    assert answer.code == 0, answer.error
    assert answer.out == "image: 2 in o\n"
    from diffusion.sampler import DDIM

    pipe = Pipeline.load("p.yaml").replace({"denoise.steps": 3, "denoise.sampler": DDIM(0.5)})
    want = pipe(seed=3, batch=2).numpy()
    for index in range(2):
        found = np.array(Image.open(f"o/image-0000{index}.png"))
        assert (found == want[index, 0]).all()


def test_inputs_are_of_their_types(there):
    found = said(there, "--prompt", "a cat")
    assert found["text"] == ["a cat!"]
    found = said(there, "--prompt", "1", "--prompt=2", "--loud", "true", "--scale", "2",
                 "--sizes", "[1, 2]")  # fmt: skip
    assert found["text"] == ["1!", "2!"]
    assert (found["loud"], found["scale"], found["sizes"]) == (True, 2, [1, 2])
    assert said(there, "--prompt", "x", "--sizes", "1", "--sizes", "2")["sizes"] == [1, 2]


def test_pictures_and_arrays_are_inputs(there):
    Image.fromarray(np.full((4, 6, 3), 9, np.uint8)).save("in.png")
    found = said(there, "--prompt", "x", "--image", "in.png")
    assert (found["shape"], found["mean"]) == ([1, 3, 4, 6], 9.0)
    assert found["image"] == {"tensor": "said.image"}
    assert load_file("said/outputs.safetensors")["said.image"].shape == (1, 3, 4, 6)
    np.save("in.npy", np.ones((2, 3)))
    assert said(there, "--prompt", "x", "--image", "in.npy")["shape"] == [2, 3]
    save_file({"image": torch.ones(5), "other": torch.ones(1)}, "in.safetensors")
    assert said(there, "--prompt", "x", "--image", "in.safetensors")["shape"] == [5]


BAD = [
    (("--promt", "x"), r"--promt: is neither an option nor an input.*Did you mean '--prompt'"),
    (("--prompt",), "--prompt: expected a value: "),
    (("stray",), "stray: is neither an option nor an input"),
    ((), "say.yaml needs prompt"),
    (("--prompt", "x", "--loud", "perhaps"), "--loud: expected bool = False; got 'perhaps'"),
    (("--prompt", "x", "--scale", "big"), "--scale: expected float = 1.0; got 'big'"),
    (("--prompt", "x", "--scale", "1", "--scale", "2"), "--scale: expected one value"),
    (("--prompt", "x", "--image", "3"), "--image: expected a file .*png"),
    (("--prompt", "x", "--image", "no.png"), "--image: no.png: no such file"),
    (("--prompt", "x", "--image", "bad.png"), "--image: bad.png: not readable"),
    (("--prompt", "x", "--set", "say.punctuaton=?"), "Did you mean 'punctuation'"),
    (("--prompt", "x", "--only", "sya"), "no part 'sya'.*Did you mean 'say'"),
    (("--prompt", "x", "--inputs", "nowhere"), "nowhere: neither inputs.json nor"),
    (("--prompt", "x", "--locked"), "there is no lock file; write it: diffusion lock say.yaml"),
]


@pytest.mark.parametrize(("words", "error"), BAD)
def test_mistakes_are_one_line(there, words, error):
    Path("bad.png").write_text("no picture")
    answer = there("run", "say.yaml", *words, *CUSTOM, "--out", "never")
    assert answer.code == 1
    assert re.search(error, answer.error), answer.error
    assert answer.error.count("\n") == 1
    assert not Path("never").exists()


def test_the_users_own_class_is_asked_for(there):
    answer = there("run", "say.yaml", "--prompt", "x")
    assert answer.code == 1
    assert "Here: --custom path/to/file.py:Class." in answer.error


def test_one_block_runs_on_what_a_trace_recorded(there):
    pipe = Pipeline.load("p.yaml")
    with pipe.trace("run.trace"):
        want = pipe(seed=1, batch=2)
    alone = ("run", "p.yaml", "--only", "decode", "--inputs")
    assert there(*alone, "run.trace", "-o", "one").code == 0
    assert (np.array(Image.open("one/image-00001.png")) == want[1, 0].numpy()).all()
    answer = there("run", "p.yaml", "--only", "denoise", "--inputs", "run.trace/decode")
    assert answer.code == 0, answer.error  # its latents are where denoising may begin
    answer = there(*alone, "run.trace", "--seed", "1")
    assert "--seed: is neither an option nor an input; the inputs are --latents" in answer.error


def test_plain_safetensors_are_inputs_too(there):
    folder = there.folder / "plain"
    folder.mkdir()
    save_file({"latents": torch.zeros(1, 1, 8, 8)}, folder / "inputs.safetensors")
    answer = there("run", "p.yaml", "--only", "decode", "--inputs", folder, "-o", "zero")
    assert answer.code == 0, answer.error
    save_file({"latent": torch.zeros(1, 1, 8, 8)}, folder / "inputs.safetensors")
    answer = there("run", "p.yaml", "--only", "decode", "--inputs", folder, "-o", "zero")
    assert "holds 'latent', which is no input" in answer.error


def test_show_as_a_page_of_markdown(there):
    answer = there("show", "p.yaml", "--markdown", "--set", "denoise.steps=7")
    assert answer.code == 0, answer.error
    assert answer.out.startswith("# p\n\nA `block.Pipeline`, version 1.\n")
    for line in (
        "| `batch` | `int \\| None` |  | `None` |", "| `image` | `Tensor` |  |", "### denoise",
        "Sample a model. Its output are encoded samples, which `Decode` makes pictures of.",
        "| `steps` | `7` |", "| `latents` | `Tensor` | `b 1 8 8` | must be given |",
        '  b0 -->|"latents"| b1',
    ):  # fmt: skip
        assert line in answer.out.splitlines(), line
    assert answer.out.count("| UNet | ") == 1


def test_show(there):
    answer = there("show", "p.yaml")
    assert answer.code == 0, answer.error
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert "batch int | None = None" in lines
    assert "decode block.Decode 1 latents -> image" in lines
    count = sum(one.numel() for one in tiny().parts.parameters())
    size = sum(one.numel() * one.element_size() for one in tiny().parts.parameters()) / 2**20
    weights = f"UNet {count:,} parameters {size:.1f} MiB {there.folder / 'digits'}"
    assert weights in lines
    assert sum(line.startswith("UNet") for line in lines) == 1


def test_drawings(there):
    answer = there("show", "p.yaml", "--mermaid")
    assert answer.out.startswith("flowchart TD\n")
    assert '-->|"latents"|' in answer.out
    assert there("show", "p.yaml", "--svg", "p.svg").out == "wrote p.svg\n"
    assert Path("p.svg").read_text().startswith("<svg ")
    assert "--svg: expected a file that ends in .svg" in there("show", "p.yaml", "--svg", "x").error


def test_lock_and_locked(there):
    assert there("lock", "p.yaml").out == "wrote p.lock\n"
    words = ("run", "p.yaml", "--locked", "--batch", "1", "--set", "denoise.steps=2")
    assert there(*words).code == 0
    path = Path("digits/model.yaml")
    whole = path.read_text()
    path.write_text(whole + "# a remark\n")
    answer = there(*words)
    path.write_text(whole)
    assert answer.code == 1
    assert "p.lock: model digits: the hash of" in answer.error
    assert "model.yaml differs" in answer.error


def test_doctor(there):
    (there.folder / "dark.yaml").write_text(
        "format: 1\npipeline: {id: block.Pipeline, blocks: {dark: {id: custom.Darken}}}\n"
    )
    custom = ("--custom", f"{Darken.__module__}:Darken")
    answer = there("doctor", "dark.yaml", *custom)
    assert answer.code == 0, answer.error
    assert re.search(r"^dark +ok +ok +ok +ok +-$", answer.out, re.M)
    answer = there("doctor", "say.yaml", *CUSTOM)
    assert answer.code == 0, answer.out
    answer = there("doctor", "dark.yaml", *custom, "--set", "dark.by=.inf")
    assert answer.code == 0
    assert there("doctor", "p.yaml", "--no-modules", "--set", "denoise.steps=1").code == 0


def test_doctor_reports_what_fails(there):
    pipe = Pipeline.load("p.yaml")
    with pipe.trace("doctor.trace"):
        pipe(seed=1, batch=2)
    answer = there("doctor", "p.yaml", "--no-modules", "--inputs", "doctor.trace")
    assert answer.code == 0, answer.out
    (there.folder / "bad.yaml").write_text(
        "format: 1\npipeline: {id: block.Pipeline, blocks: {bad: {id: custom.Bad, "
        "punctuation: ''}}}\n"
    )
    broken = BLOCKS.replace("class Say", "class Bad")
    broken = broken.replace("        text = ", '        raise OSError("gone")\n        text = ')
    Path("mine2.py").write_text(broken)
    answer = there("doctor", "bad.yaml", "--custom", "mine2.py:Bad")
    assert answer.code == 1
    assert re.search(r"^bad +FAIL +- +- +- +-$", answer.out, re.M)
    assert "raised OSError: gone" in answer.out
