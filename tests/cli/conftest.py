"""Small configurations and models for the command line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from diffusion.cli.app import app

PICTURES = """\
source: {path: pictures.npz}
data: {Images: {batch: 40, shuffle: true, levels: 17}}
schedule:
  Flow:
    steps: 20
noise: {Gaussian: {parameter: velocity}}
net: {UNet: {channels: [1, 8], labels: 3, hidden: 16}}
loss: Simple
time: LogitNormal
guidance: {ClassifierFree: {dropout: 0.1, strength: 1}}
sampler: DDIM
optimizer: {AdamW: {rate: 2e-3, warmup: 2}}
ema: 0.9
train: {epochs: 2, folder: run}
"""
TEXT = """\
source: {path: text.txt, length: 8}
data: {Identity: {batch: 16}}
schedule: {id: schedule.Cosine, steps: 20}
noise: {Absorbing: {k: 9}}
net: {Transformer: {input: 9, depth: 1, width: 16, heads: 2}}
loss: {Sum: {losses: [CrossEntropy, {Product: {factor: 1e-3, loss: VLB}}]}}
train: {epochs: 1}
"""


class Shell:
    """Runs commands in a folder, as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str) -> "Answer":
        result = CliRunner().invoke(app, [str(word) for word in words])
        return Answer(result.exit_code, result.stdout, result.stderr, result.exception)

    def write(self, name: str, text: str) -> str:
        """A file in the folder; its name."""
        (self.folder / name).write_text(text)
        return name


class Answer:
    """What a command answered."""

    def __init__(self, code: int, out: str, error: str, exception: BaseException | None) -> None:
        self.code, self.out, self.error, self.exception = code, out, error, exception


def furnish(folder: Path) -> None:
    """Data and configurations."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(120) % 3 + 1
    w = torch.randint(0, 6, (120, 1, 8, 8), generator=generator) + 4 * (y - 1).reshape(-1, 1, 1, 1)
    np.savez(folder / "pictures.npz", w=w.to(torch.uint8).numpy(), y=y.numpy(),
             names=np.array(["dark", "grey", "light"]))  # fmt: skip
    (folder / "text.txt").write_text("abc de.\n" * 40)
    (folder / "pictures.yaml").write_text(PICTURES)
    (folder / "text.yaml").write_text(TEXT)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell in a fresh folder with data and configurations."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with two trained runs: `run` (pictures) and `runs/text`."""
    folder = tmp_path_factory.mktemp("trained")
    furnish(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("pictures", "text"):
            answer = Shell(folder)("train", f"{name}.yaml")
            assert answer.code == 0, answer.error
    return folder


@pytest.fixture
def there(trained, monkeypatch):
    """A shell in the folder with trained runs."""
    monkeypatch.chdir(trained)
    return Shell(trained)
