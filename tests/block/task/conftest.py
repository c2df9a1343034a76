"""A tiny Stable Diffusion of Diffusers, once, and the same as a model of ours."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from diffusion import hub

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
