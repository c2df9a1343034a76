"""The levels of two-dimensional U-Nets. Ronneberger et al. 2015; Ho et al. 2020, appendix B."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import choose, require
from ...net.sizes import expect
from ..layer.residual import ResnetBlock2D

Residual = Callable[..., ResnetBlock2D]
"""From the widths of input and output, and "up" or "down", to a block."""


class Stage(nn.Module):
    """Residual blocks, each followed by attention where there is any."""

    def __init__(self, resnets: Iterable[nn.Module], attentions: Iterable[nn.Module]) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions)

    def pair(self, i: int, x: Tensor, temb: Tensor, context: Any, mask: Any) -> Tensor:
        """The i-th pair."""
        x = self.resnets[i](x, temb)
        return self.attentions[i](x, context, mask) if self.attentions else x


class Down(Stage):
    """A level on the way down: a stage, then half the size."""

    def __init__(self, resnets: Any, attentions: Any, samplers: Iterable[nn.Module]) -> None:
        super().__init__(resnets, attentions)
        self.downsamplers = nn.ModuleList(samplers)

    def forward(
        self, x: Tensor, temb: Tensor, context: Any = None, mask: Any = None, extra: Any = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The result, and all that the way up will need.

        `extra` is added before the size is halved, but after it where there is no attention.
        """
        kept: list[Tensor] = []
        for i in range(len(self.resnets)):
            x = self.pair(i, x, temb, context, mask)
            kept.append(x)
        if extra is not None and self.attentions:
            kept[-1] = x = x + extra
        for sampler in self.downsamplers:
            x = sampler(x, temb) if isinstance(sampler, ResnetBlock2D) else sampler(x)
            kept.append(x)
        if extra is not None and not self.attentions:
            kept[-1] = x = x + extra
        return x, kept


class Middle(Stage):
    """A residual block, then pairs of attention and a residual block."""

    def forward(self, x: Tensor, temb: Tensor, context: Any = None, mask: Any = None) -> Tensor:
        x = self.resnets[0](x, temb)
        for i in range(1, len(self.resnets)):
            x = self.attentions[i - 1](x, context, mask) if self.attentions else x
            x = self.resnets[i](x, temb)
        return x


class Up(Stage):
    """A level on the way up: a stage that reads what the way down kept, then twice the size."""

    def __init__(self, resnets: Any, attentions: Any, samplers: Iterable[nn.Module]) -> None:
        super().__init__(resnets, attentions)
        self.upsamplers = nn.ModuleList(samplers)

    def forward(
        self, x: Tensor, kept: list[Tensor], temb: Tensor, context: Any = None, mask: Any = None
    ) -> Tensor:
        """`kept` is a stack: what this level reads is taken from its end."""
        for i in range(len(self.resnets)):
            x = self.pair(i, torch.cat([x, kept.pop()], dim=1), temb, context, mask)
        for sampler in self.upsamplers:
            size = kept[-1].shape[2:]
            x = sampler(x, temb) if isinstance(sampler, ResnetBlock2D) else sampler(x, size)
            wanted = "height and width that can be halved at each level"
            expect(x.shape[2:] == size, "upsampling by residual blocks", wanted, kept[0])
        return x


def levels(net: str, widths: Sequence[int], **kinds: tuple[Sequence[str], Sequence[str]]) -> None:
    """Raise `InputError` unless each level has a width, and a known kind for each setting."""
    require(len(widths) > 0, f"{net}.block_out_channels", "a width for each level", widths)
    for name, (given, known) in kinds.items():
        fits = len(given) == len(widths)
        require(fits, f"{net}.{name}", f"{len(widths)}, one for each of block_out_channels", given)
        for kind in given:
            choose(f"{net}.{name}", kind, known)


def descent(
    kinds: Sequence[str], widths: Sequence[int], layers: Sequence[int], residual: Residual,
    attention: Callable[[int, int], nn.Module], sampler: Callable[[str, int], nn.Module],
) -> nn.ModuleList:  # fmt: skip
    """The way down.

    Args:
        kinds: names of blocks; those with "Attn" have attention. layers: pairs at each level.
        attention: from the level and the place in it. sampler: from the kind and the width.
    """
    made = []
    for level, (kind, out, count) in enumerate(zip(kinds, widths, layers, strict=True)):
        width = widths[max(level - 1, 0)]
        resnets = [residual(out if i else width, out) for i in range(count)]
        attentions = [attention(level, i) for i in range(count) if "Attn" in kind]
        halves = [] if level == len(widths) - 1 else [sampler(kind, out)]
        made.append(Down(resnets, attentions, halves))
    return nn.ModuleList(made)


def ascent(
    kinds: Sequence[str], widths: Sequence[int], layers: Sequence[int], residual: Residual,
    attention: Callable[[int, int], nn.Module], sampler: Callable[[str, int], nn.Module],
) -> nn.ModuleList:  # fmt: skip
    """The way up, which has one more pair at each level; `kinds` begin with the last level."""
    made = []
    for level, kind in zip(reversed(range(len(widths))), kinds, strict=True):
        count, out = layers[level] + 1, widths[level]
        below, above = widths[min(level + 1, len(widths) - 1)], widths[max(level - 1, 0)]
        ins = [(out if i else below) + (out if i < count - 1 else above) for i in range(count)]
        attentions = [attention(level, i) for i in range(count) if "Attn" in kind]
        doubles = [] if level == 0 else [sampler(kind, out)]
        made.append(Up([residual(width, out) for width in ins], attentions, doubles))
    return nn.ModuleList(made)
