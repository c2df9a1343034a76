"""A tiny Stable Diffusion of Diffusers, once, and the same as a model of ours."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from diffusion import hub, rng

from ...hub.pipelines import CASES


class Both(NamedTuple):
    theirs: Any
    ours: Any
    folder: Path

    def scheduler(self, name: str) -> Any:
        """Theirs by name, with the folder's settings."""
        import diffusers

        return getattr(diffusers, name).from_pretrained(self.folder, subfolder="scheduler")


@pytest.fixture(scope="session")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("stable")
    theirs = CASES["sd"].make()
    theirs.save_pretrained(folder)
    return Both(theirs, hub.load(folder, shape=(4, 8, 8)), folder)


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
