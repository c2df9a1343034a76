r"""A transformer for sequences of tokens and for images cut into patches.

    h <- h + gate1·attention((1 + scale1)·norm(h) + shift1)
    h <- h + gate2·mlp((1 + scale2)·norm(h) + shift2)

with gates, scales and shifts from the time and the condition, all zero at first: adaLN-zero,
Peebles & Xie 2023, section 3.2. Positions are told apart twice: where each is, by a linear map of
its sinusoidal features that is added to the first h; how far two are apart, by rotary attention.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base import Net
from ..errors import require
from .attention import Attention
from .embedding import Condition
from .layers import ZeroLinear
from .rotary import Tables, places, tables
from .sizes import common, expect, positive
from .tokens import Tokens


class Transformer(Net):
    """Tokens `[b, l]` or `[b, l, input]`, or images `[b, input, h, w]`; the output starts at zero.

    Integer tokens are ids in 0..input-1, floating ones are vectors (one-hot vectors give what
    their ids give); both return `[parameters, b, l, output]`. With `patch`, images return
    `[parameters, b, output, h, w]`.

    Args:
        input: size of the vocabulary or of a vector; with `patch`, channels.
        labels: classes 1..labels of integer conditions `y` `[b]`; 0 is the null condition.
        parameters: predicted parameters, the first axis of the output.
        depth: blocks. width: of a position. heads: of attention.
        output: size of the output; None is `input`.
        patch: side of the patches of images; None is tokens.
        length: about the longest distance in positions that matters, the base of the rotary
            angles; None is 10000 for tokens, 100 for patches. Longer inputs are allowed.
        condition: size of floating conditions `y` `[b, condition]`; 0 is none.
        dropout: probability, on the output of each branch.
    """

    def __init__(
        self,
        input: int,
        labels: int = 0,
        parameters: int = 1,
        depth: int = 6,
        width: int = 256,
        heads: int = 8,
        output: int | None = None,
        patch: int | None = None,
        length: int | None = None,
        condition: int = 0,
        dropout: float = 0.0,
    ) -> None:
        common("Transformer", labels, condition, dropout)
        self.input, self.output = input, input if output is None else output
        self.labels, self.outputs, self.condition = labels, parameters, condition
        self.patch = patch
        self.length = length or (100 if patch else 10_000)
        sizes = {"output": self.output, "patch": patch or 1, "length": self.length}
        positive("Transformer", input=input, parameters=parameters, depth=depth, **sizes)
        positive("Transformer", width=width, heads=heads)
        self.head = _head(width, heads, axes=2 if patch else 1)
        cells = (patch or 1) ** 2
        self.embed = Condition("Transformer", width, labels, condition)
        self.modulation = ZeroLinear(width, (6 * depth + 2) * width)
        self.enter = Tokens(input * cells, width)
        self.place = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.place.weight, std=0.02)
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(depth))
        self.exit = ZeroLinear(width, parameters * self.output * cells)

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        self._fits(x)
        grid = x.shape[1:2]
        modulation = self.modulation(F.silu(self.embed(y, t, x.shape[0]))).unsqueeze(1)
        *parts, scale, shift = modulation.chunk(6 * len(self.blocks) + 2, -1)
        if self.patch:
            x = F.pixel_unshuffle(x, self.patch)
            grid, x = x.shape[2:], x.flatten(2).transpose(1, 2)
        h, shape = self.enter(x), tuple(grid)
        h = h + self.place(places(shape, h.shape[-1], self.length, h.device, h.dtype))
        turn = tables(shape, self.head, self.length, h.device, h.dtype)
        for i, block in enumerate(self.blocks):
            h = block(h, parts[6 * i : 6 * i + 6], turn)
        out = self.exit(_modulated(h, scale, shift))
        return self._image(out, grid) if self.patch else self._sequence(out)

    def _sequence(self, out: Tensor) -> Tensor:
        return out.view(*out.shape[:2], self.outputs, self.output).movedim(2, 0)

    def _image(self, out: Tensor, grid: torch.Size) -> Tensor:
        cells = out.transpose(1, 2).reshape(out.shape[0], -1, *grid)
        image = F.pixel_shuffle(cells, self.patch or 1)
        return image.view(out.shape[0], self.outputs, self.output, *image.shape[2:]).movedim(1, 0)

    def _fits(self, x: Tensor) -> None:
        if self.patch:
            side = self.patch
            fits = x.dim() == 4 and x.shape[1] == self.input and x.is_floating_point()
            expect(fits, "Transformer", f"floating x [b, {self.input}, height, width]", x)
            fits = x.shape[2] % side == 0 and x.shape[3] % side == 0
            wanted = f"a height and a width that patch={side} divides"
            expect(fits, "Transformer", wanted, x, "Pad or crop x, or change patch.")
        elif x.is_floating_point():
            fits = x.dim() == 3 and x.shape[2] == self.input
            expect(fits, "Transformer", f"vectors x [b, length, {self.input}]", x)
        else:
            wanted = f"ids x [b, length] in 0..{self.input - 1}"
            expect(x.dim() == 2, "Transformer", wanted, x, "Images need patch=n and floats.")


class _Block(nn.Module):
    axis = -1
    """Of the features of its output; see `diffusion.net.cross`."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.width, self.dropout = width, dropout
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, h: Tensor, parts: list[Tensor], turn: Tables) -> Tensor:
        scale, shift, gate, scale2, shift2, gate2 = parts
        h = torch.addcmul(h, gate, self._drop(self.attention(_modulated(h, scale, shift), turn)))
        return torch.addcmul(h, gate2, self._drop(self.mlp(_modulated(h, scale2, shift2))))

    def _drop(self, h: Tensor) -> Tensor:
        return F.dropout(h, self.dropout, self.training) if self.dropout else h


def _modulated(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, F.layer_norm(h, h.shape[-1:], eps=1e-6), 1 + scale)


def _head(width: int, heads: int, axes: int) -> int:
    """The size of a head, which rotary positions split in pairs for each axis."""
    wanted = f"a multiple of {2 * axes}·heads = {2 * axes * heads}"
    require(width % (2 * axes * heads) == 0, "Transformer.width", wanted, width)
    return width // heads
