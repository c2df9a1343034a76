"""peft, without which Diffusers loads no LoRA: the installed one, or one fetched into a cache."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sources import cache

WHEELS = ("peft==0.21.2", "accelerate==1.15.0")
SECONDS = 600


def path() -> str:
    """What `PYTHONPATH` has to hold: the folder of this repository, and perhaps of the wheels."""
    repository = str(Path(__file__).resolve().parents[3])
    found = importlib.util.find_spec("peft")
    if found is not None and found.origin is not None:  # a package, no folder of that name
        return repository
    folder = cache.root() / "peft"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "wheels"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
            subprocess.run([*pip, str(made), *WHEELS], check=True, timeout=SECONDS)
            if not folder.is_dir():
                made.rename(folder)
    return os.pathsep.join([repository, str(folder)])
