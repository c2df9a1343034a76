"""Conditions are those of the installed Diffusers, for every way that pipelines read prompts."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from diffusion.hub.text import RECIPES, Prompts, read

from . import tiny
from .cases import CASES, Case

CLOSE = 1e-6
"""Largest difference, relative to the largest number."""
pytestmark = [
    pytest.mark.filterwarnings("ignore:a prompt of"),
    pytest.mark.filterwarnings("ignore:Wan was trained"),
]


class Made(NamedTuple):
    case: Case
    pipeline: Any
    prompts: Prompts
    folder: Path


def opened(folder: Path) -> Prompts:
    prompts = read(folder, json.loads((folder / "model_index.json").read_text()))
    assert prompts is not None
    return prompts


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Diffusers' pipeline, and ours from the folder that it writes."""
    torch.manual_seed(0)
    case: Case = CASES[request.param]
    pipeline, folder = case.make(), tmp_path_factory.mktemp(request.param)
    pipeline.save_pretrained(folder)
    return Made(case, pipeline, opened(folder), folder)


def close(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.shape == theirs[name].shape
        assert tensor.dtype == theirs[name].dtype
        gap = (tensor.double() - theirs[name].double()).abs().max()
        assert gap <= CLOSE * theirs[name].double().abs().max()


def test_conditions_are_those_of_diffusers(made: Made) -> None:
    theirs, _ = made.case.theirs(made.pipeline, tiny.PROMPTS)
    close(made.prompts(tiny.PROMPTS), theirs)
    assert all(tensor.double().std() > 0.01 for tensor in theirs.values())


def test_no_prompt_is_that_of_diffusers(made: Made) -> None:
    empty, null = made.case.theirs(made.pipeline, [""])
    close(made.prompts.null(), null or empty)


def test_a_sample_depends_on_its_own_prompt_only(made: Made) -> None:
    together = made.prompts(tiny.PROMPTS)
    for i, prompt in enumerate(tiny.PROMPTS):
        close(made.prompts(prompt), {name: tensor[i : i + 1] for name, tensor in together.items()})


def test_what_is_saved_is_read_again_by_diffusers_and_here(made: Made, tmp_path: Path) -> None:
    index = json.loads((made.folder / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | made.prompts.save(tmp_path)))
    same = opened(tmp_path)
    assert type(same) is type(made.prompts)
    assert same.settings() == made.prompts.settings()
    close(same(tiny.PROMPTS), made.prompts(tiny.PROMPTS))
    close(same.null(), made.prompts.null())
    kept = [name for name in made.prompts.components() if getattr(made.prompts, name) is not None]
    others = {k: v for k, v in made.pipeline.components.items() if k not in kept}
    pipeline = getattr(diffusers, made.case.pipeline).from_pretrained(tmp_path, **others)
    close(made.case.theirs(pipeline, tiny.PROMPTS)[0], made.prompts(tiny.PROMPTS))


def test_keys_of_clip_are_those_that_every_version_reads(tmp_path: Path) -> None:
    pipeline = CASES["sd"].make()
    pipeline.save_pretrained(tmp_path / "theirs")
    opened(tmp_path / "theirs").save(tmp_path / "ours")
    with safe_open(tmp_path / "ours/text_encoder/model.safetensors", "pt") as file:
        names = list(file.keys())
    assert "text_model.embeddings.token_embedding.weight" in names
    assert all(name.startswith("text_model.") for name in names)


def test_every_pipeline_named_is_one_of_diffusers() -> None:
    for name in RECIPES:
        assert hasattr(diffusers, name)
        assert callable(getattr(diffusers, name).encode_prompt)
