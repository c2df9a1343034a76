"""What a U-Net knows besides the picture, as vectors: its time and its class."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import require
from ...net.sizes import expect
from .embedding import TimestepEmbedding


def times(net: str, timestep: Tensor | float, sample: Tensor) -> Tensor:
    """Times `[b]` of the samples; one time serves the whole batch."""
    t = torch.as_tensor(timestep, device=sample.device)
    fits = t.dim() < 2 and t.numel() in (1, sample.shape[0])
    expect(fits, net, "a timestep, or as many as there are samples", t)
    return t.expand(sample.shape[0])


class Fourier(nn.Module):
    r"""sin and cos of 2π·w·t, or of 2π·w·log t, with fixed random w, `[b] -> [b, 2·count]`.

    Tancik et al. 2020; Song et al. 2021, appendix H.
    """

    def __init__(self, count: int, scale: float, log: bool, flip: bool) -> None:
        super().__init__()
        self.log, self.flip = log, flip
        self.weight = nn.Parameter(torch.randn(count) * scale, requires_grad=False)

    def forward(self, t: Tensor) -> Tensor:
        t = t.float().log() if self.log else t.float()
        angles = t[:, None] * self.weight.float() * (2 * math.pi)
        waves = (angles.cos(), angles.sin()) if self.flip else (angles.sin(), angles.cos())
        return torch.cat(waves, dim=-1)


def class_embedding(
    kind: str | None, classes: int | None, waves: int, hidden: int, act: str = "silu",
    vector: int | None = None,
) -> nn.Module | None:  # fmt: skip
    """The module `class_embedding` of a U-Net, or None.

    Args:
        kind: None looks ids up in a table, if there are `classes`; "timestep" embeds numbers as
            times, "projection" does so with vectors of size `vector`; "identity" takes vectors.
        waves, hidden: sizes of a time's sinusoids and of its embedding.
    """
    if kind is None:
        return None if classes is None else nn.Embedding(classes, hidden)
    if kind == "identity":
        return nn.Identity()
    if kind == "timestep":
        return TimestepEmbedding(waves, hidden, act)
    require(vector is not None, "projection_class_embeddings_input_dim", "the labels' size", vector)
    return TimestepEmbedding(vector or 0, hidden)


def classified(
    net: str, temb: Tensor, embedding: Any, labels: Tensor | None,
    waves: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:  # fmt: skip
    """Add the embedding of class labels, of their sinusoids if `waves` are given."""
    wanted = "class_labels [b]" if embedding is not None else "no class_labels: it has no classes"
    expect((embedding is None) == (labels is None), net, wanted, labels)
    if labels is None or embedding is None:
        return temb
    x = labels if waves is None else waves(labels)
    found: Tensor = embedding(x.to(temb.dtype) if x.is_floating_point() else x)
    return temb + found
