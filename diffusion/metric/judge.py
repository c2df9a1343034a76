"""A small classifier trained on real pictures, whose features measure generated ones."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import rng
from ..errors import InputError, require
from ..folder import tensors
from ..train.progress import Bar

BATCH = 64
PICTURES = 30_000
SMALL = 10_000
"""A smaller training set is shifted about, so that the judge does not learn it by heart."""


class Judge(nn.Module):
    """A convolutional classifier of pictures `[n, c, h, w]`, at least 8×8, into ids 1..classes.

    Pixels may have any range: they are scaled by the mean and deviation of the training pictures.
    The features are the activations before the last layer, as in the inception distance of Heusel
    et al. 2017, but of a network that was trained on the very kind of pictures it measures.
    Distances of two judges can't be compared.

    Args:
        channels, classes: of the pictures. width: channels of the first layer. dims: features.
        stride: of the first layer, which looks at 2·stride + 1 pixels: more for large pictures.
    """

    def __init__(
        self, channels: int, classes: int, width: int = 24, dims: int = 64, stride: int = 1
    ) -> None:
        super().__init__()
        require(classes >= 2, "Judge.classes", "at least 2", classes)
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.body = nn.Sequential(
            *_layer(channels, width, stride), *_layer(width, width), nn.MaxPool2d(2),
            *_layer(width, 2 * width), *_layer(2 * width, 2 * width), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(),
            nn.Linear(8 * width, dims), nn.ReLU(),
        )  # fmt: skip
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(dims, classes)
        # Channels last costs a third less time.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def fit(
        cls,
        w: Tensor,
        y: Tensor,
        classes: int,
        seed: int = 0,
        epochs: int | None = None,
        progress: bool = False,
    ) -> Judge:
        """A judge trained on pictures `w` `[n, c, h, w]` with class ids `y` `[n]` in 1..classes.

        The same arguments give the same judge. AdamW, one cycle of the learning rate (Smith &
        Topin 2019); fewer than 10,000 pictures are shifted by up to a fourteenth of their size.

        Args:
            epochs: None shows it about 30,000 pictures, in 3 to 30 epochs.
        """
        w, y = _pictures(w, "Judge.fit.w"), _labels(y, len(w), classes)
        count = max(3, min(30, PICTURES // len(w))) if epochs is None else epochs
        require(count >= 1, "Judge.fit.epochs", "at least 1", count)
        with rng.scope(rng.fold(seed, "judge")):
            judge = cls(w.shape[1], classes, stride=_stride(w))
            pixels = w.float()
            judge.mean.copy_(pixels.mean((0, 2, 3)).reshape(-1, 1, 1))
            judge.scale.copy_(pixels.std((0, 2, 3)).clamp_min(1e-6).reshape(-1, 1, 1))
            _train(judge, w, y - 1, count, progress)
        return judge.eval().requires_grad_(False)

    def forward(self, w: Tensor) -> Tensor:
        """Logits `[n, classes]`."""
        logits: Tensor = self.head(self.drop(self.body((w.float() - self.mean) / self.scale)))
        return logits

    @torch.no_grad()
    def features(self, w: Tensor) -> Tensor:
        """Activations before the last layer, `[n, dims]`."""
        w = self._known(w)
        return torch.cat(
            [self.body((p.float() - self.mean) / self.scale) for p in torch.split(w, 512)]
        )

    def predict(self, w: Tensor) -> Tensor:
        """The class ids, 1..classes, that the judge reads in pictures."""
        with torch.no_grad():
            ids: Tensor = self.head(self.features(w)).argmax(1) + 1
        return ids

    def accuracy(self, w: Tensor, y: Tensor) -> float:
        """The part of the pictures that are read as their class id."""
        y = _labels(y, len(w), self.head.out_features)
        return float((self.predict(w) == y).double().mean())

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        Path(path).write_bytes(tensors.dump(dict(self.state_dict())))

    @classmethod
    def load(cls, path: str | Path) -> Judge:
        """Read a file that `save` wrote."""
        stored = tensors.read(Path(path))
        try:
            first, head = stored["body.0.weight"], stored["head.weight"]
        except KeyError as error:
            raise InputError(f"Judge.load: {path} holds no judge ({error} is missing).") from None
        judge = cls(
            first.shape[1], head.shape[0], first.shape[0], head.shape[1], first.shape[2] // 2
        )
        tensors.assign(judge, stored, str(path))
        return judge.eval().requires_grad_(False)

    def _known(self, w: Tensor) -> Tensor:
        w = _pictures(w, "Judge.w")
        own = self.mean.shape[0]
        require(w.shape[1] == own, "Judge.w", f"{own} channels, as in training", w.shape[1])
        return w


def _layer(inside: int, outside: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inside, outside, 2 * stride + 1, stride, stride, bias=False)
    return convolution, nn.BatchNorm2d(outside), nn.ReLU()


def _stride(w: Tensor) -> int:
    """A power of two that leaves a side of 8 to 27."""
    return 1 << max(0, int(math.log2(min(w.shape[2:]) / 14)))


def _train(judge: Judge, w: Tensor, y: Tensor, epochs: int, progress: bool) -> None:
    steps = epochs * -(len(w) // -BATCH)
    optimizer = torch.optim.AdamW(judge.parameters(), 1e-3, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.2)
    reach = max(1, min(w.shape[2:]) // 14) if len(w) < SMALL else 0
    judge.train()
    with Bar(steps, progress, "judge") as bar:
        for epoch in range(epochs):
            for i, index in enumerate(torch.split(torch.randperm(len(w)), BATCH)):
                logits = judge(_shifted(w[index], reach))
                loss = nn.functional.cross_entropy(logits, y[index])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                cycle.step()
                bar.update(epoch * steps // epochs + i + 1, float(loss.detach()))


def _shifted(w: Tensor, reach: int) -> Tensor:
    """The batch, moved by up to `reach` pixels each way; the border is repeated."""
    right, down = (int(v) for v in torch.randint(0, 2 * reach + 1, (2,)))
    padded = nn.functional.pad(w.float(), (reach,) * 4, mode="replicate")
    return padded[:, :, down : down + w.shape[2], right : right + w.shape[3]]


def _pictures(w: Tensor, where: str) -> Tensor:
    w = torch.as_tensor(w)
    require(
        w.dim() == 4 and len(w) > 0 and min(w.shape[2:]) >= 8,
        where,
        "pictures [n, c, h, w] of at least 8×8",
        list(w.shape),
        "Items of data.Images are such pictures; add a channel axis to [n, h, w].",
    )
    return w


def _labels(y: Tensor, count: int, classes: int) -> Tensor:
    y = torch.as_tensor(y).long()
    require(y.shape == (count,), "Judge.y", f"{count} class ids, one for each", list(y.shape))
    low, high = int(y.min()), int(y.max())
    require(
        1 <= low <= high <= classes, "Judge.y", f"class ids 1..{classes}", f"{low}..{high}",
        "Class ids start at 1; 0 is the null condition.",
    )  # fmt: skip
    return y
