"""Files that must be refused, and a good one to spoil."""

import time
from pathlib import Path

import pytest
import yaml

from diffusion.block import Denoise, Pipeline
from diffusion.block.file import load
from diffusion.errors import FileError

from .blocks import Darken
from .conftest import tiny


def refuse(path: Path, words: str, seconds: float = 0.5, **options) -> str:
    """Load a file that must be an error with these words, soon."""
    started = time.process_time()
    with pytest.raises(FileError, match=words) as error:
        load(path, **{"custom": [Darken], **options})
    assert time.process_time() - started < seconds
    return str(error.value)


def written(tmp_path: Path) -> tuple[Path, dict]:
    """A pipeline with a model in a folder, as a file and as data."""
    model = tiny()
    model.save(tmp_path / "digits")
    Pipeline(denoise=Denoise(model, steps=2)).save(tmp_path / "p.yaml")
    return tmp_path / "p.yaml", yaml.safe_load((tmp_path / "p.yaml").read_text())
