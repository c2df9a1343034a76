"""The model that several examples share: clothes of ten classes, 28×28, as in examples/fashion.py.

    python examples/clothes.py            # trains runs/clothes, writes out/clothes/model
    python examples/clothes.py --quick    # a tiny one, in seconds

Measured: 19 CPU-minutes in float32 on a busy core. Examples that need it do this themselves, once.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import fashion
from common import fast
from diffusion import Model, picture
from diffusion.errors import DiffusionError
from diffusion.metric import Judge, measure
from sources import Fashion
from sources import fashion as pictures

MEASURED = 200
"""Real pictures of each class that samples are compared with, as many at a time as there are."""


def base(quick: bool = False) -> Model[Any]:
    """The trained model: read where it was saved and its settings match, else trained.

    A run that was stopped continues.

    Args:
        quick: a tiny network on 640 pictures, in a folder of its own.
    """
    name, epochs = ("clothes-quick", 2) if quick else ("clothes", 1)
    torch.manual_seed(0)
    model = fashion.build(pictures(quick), epochs, quick)
    return trained(model, name, epochs)


def trained(model: Model[Any], name: str, epochs: int, custom: Sequence[type] = ()) -> Model[Any]:
    """The model with weights: those of out/`name`/model if all settings match, else trained.

    Checkpoints go to runs/`name`; a run that was stopped continues.

    Args:
        custom: classes of an example's own that the model has.
    """
    folder = Path("out", name, "model")
    saved = _saved(folder, model, custom)
    if saved is not None:
        return saved
    with fast():
        for mean in model.train(epochs, folder=Path("runs", name), every=60, progress=True):
            print(f"{name}: mean loss {mean:.4f}")
    model.save(folder)
    return model


def judge(quick: bool = False) -> Judge:
    """A classifier of these pictures, whose features measure others; fitted once."""
    path = Path("out", "clothes-quick" if quick else "clothes", "judge.safetensors")
    if path.exists():
        return Judge.load(path)
    real = pictures(quick)
    made = Judge.fit(real.images, real.labels, 10, epochs=2 if quick else 1, progress=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)
    return made


class Trial:
    """Test pictures to work on, `each` of every class in order, and how results are judged.

    Attributes:
        images, labels: the pictures `[n, 1, 28, 28]` and their class ids `[n]`.
    """

    def __init__(self, real: Fashion, each: int, quick: bool) -> None:
        test, train = (real.test_images, real.test_labels), (real.images, real.labels)
        self.images, self.labels = _some(*test, 0, each)
        self.held = _some(*test, each, each + MEASURED)
        self.train = _some(*train, 0, MEASURED)
        self.judge = judge(quick)

    def judged(self, w: Tensor) -> dict[str, Any]:
        """Accuracy and Fréchet distance of what was made of the pictures, or of their classes.

        The distance is to the test pictures that were not worked on.
        """
        return measure(self.judge, w, self.labels, self.held, self.train).plain()


def _some(w: Tensor, y: Tensor, start: int, end: int) -> tuple[Tensor, Tensor]:
    """Pictures of every class in order, from its `start`th on to before its `end`th."""
    rows = torch.cat([torch.nonzero(y == i).flatten()[start:end] for i in range(1, 11)])
    return w[rows], y[rows]


def conditional(
    w: Tensor, lost: Tensor, mean: Tensor, cov: Tensor, rng: torch.Generator, error: float = 2.0
) -> Tensor:
    """Rows `[n, d]` with the entries `lost` drawn from N(mean, cov + error²·I), given the others.

    Args:
        error: what makes the covariance of few pictures one that can be inverted.
    """
    cov = cov + error**2 * torch.eye(len(cov), dtype=cov.dtype)
    seen, lost = (~lost).nonzero()[:, 0], lost.nonzero()[:, 0]
    between = cov[seen][:, lost]
    gain = torch.linalg.solve(cov[seen][:, seen], between).T
    root = torch.linalg.cholesky(cov[lost][:, lost] - gain @ between)
    draws = torch.randn(len(w), len(lost), generator=rng, dtype=cov.dtype)
    made = w.clone()
    made[:, lost] = mean[lost] + (w[:, seen] - mean[seen]) @ gain.T + draws @ root.T
    return made


def rms(gap: Tensor) -> float:
    """The root of the mean square."""
    return float(gap.double().square().mean().sqrt())


def sheet(columns: Sequence[tuple[str, Tensor]], names: Sequence[str], path: Path) -> None:
    """A row for each class, a column for each way to make its picture."""
    headings = [heading for heading, _ in columns]
    table = torch.stack([w for _, w in columns], 1).flatten(0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.grid(table, len(columns), names, headings=headings).save(path)


def _saved(folder: Path, model: Model[Any], custom: Sequence[type]) -> Model[Any] | None:
    """What the folder holds, with the model's own data, if it is the same model otherwise."""
    try:
        found = Model.load(folder, custom=custom, data=model.data)
    except DiffusionError:
        return None
    return None if model.diff(found) else found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny network on 640 pictures")
    base(parser.parse_args(argv).quick)


if __name__ == "__main__":
    main()
