"""A network that attends to further conditions, each read by an encoder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..base import Net
from ..component import arguments
from ..errors import InputError, require, suggest
from ..tree import State
from .beside import OWN
from .cross import Attached, Tokens, attached, count, presence, telling
from .sizes import positive


class Conditioned(Net):
    """A network that attends to conditions of several kinds, any of which may be missing.

        Conditioned(UNet((1, 32, 64)), {"text": Projection(384, 64), "style": Encoder((1, 32, 64))})

    Every layer of the network attends to the tokens of all conditions that are there
    (`diffusion.net.cross`); the attention starts at zero. Without any, the answer is the
    network's own, to the bit: a trained one, frozen or not, gets a further condition so.

    Args:
        net: a `UNet`, a `Transformer`, one of Diffusers', another `Conditioned`, or your own, whose
            layers say what they return (`diffusion.net.cross.attached`). Its weights are shared,
            and it is not changed itself.
        encoders: by the names of the conditions: modules from a condition `[b, ...]` to tokens
            `[b, n, width]`. All have the same width.
        heads: of the attention. least: layers with fewer features do not attend; the finest levels
            of a U-Net are narrow, and dear to attend from.

    Conditions y are a dict of tensors `[b, ...]` by name, and under "y" the network's own. A name
    that is left out, or a row of zeros, is a condition that is missing; guidance makes such rows.
    """

    def __init__(
        self, net: Net, encoders: Mapping[str, nn.Module], heads: int = 4, least: int = 1
    ) -> None:
        require(isinstance(net, Net), "Conditioned.net", "a Net", type(net).__name__)
        positive("Conditioned", heads=heads, least=least)
        width = _width(encoders)
        self.depth: int = sum(isinstance(one, Conditioned) for one in net.modules())

        def attach(layer: Any) -> nn.Module | None:
            return Attached(layer, width, heads, self.depth) if layer.width >= least else None

        self.net: Any = attached(net, attach)
        self.encoders = nn.ModuleDict(dict(encoders))
        fix = "They have width >= least, and axis, as net.residual.Residual has."
        known = count(self.net) > count(net)
        require(known, "Conditioned.net", "a network with layers to attach to", repr(net), fix)

    @property
    def labels(self) -> int:
        """The network's number of classes."""
        return int(getattr(self.net, "labels", 0))

    @property
    def condition(self) -> int:
        """The size of the network's own floating conditions."""
        return int(getattr(self.net, "condition", 0))

    @property
    def outputs(self) -> int:
        """The network's number of predicted parameters."""
        return int(getattr(self.net, "outputs", 1))

    def with_encoders(self, encoders: Mapping[str, nn.Module]) -> Conditioned:
        """The same network, with encoders more, or others in their place; all weights are shared.

        Their tokens go through the attention that is there, so they suit it, or are made to.
        """
        every = {**dict(self.encoders.items()), **encoders}
        other = Conditioned(**{**arguments(self), "encoders": every})
        other.net, other.depth = self.net, self.depth
        return other

    def forward(self, x: Tensor, y: State, t: Tensor) -> Tensor:
        return self._answer(self.net, x, y, t)

    def under(self, noise: Any) -> Callable[..., Any]:
        return partial(self._answer, self.net.under(noise))

    def _answer(self, net: Callable[..., Any], x: Tensor, y: State, t: Tensor) -> Tensor:
        own, told = self._apart(y)
        tokens = [self._tokens(name, value, len(x)) for name, value in told.items()]
        if not tokens:
            hat: Tensor = net(x, own, t)
            return hat
        values, there = (torch.cat(side, 1) for side in zip(*tokens, strict=True))
        with telling(self.depth, Tokens(values, there)):
            guided: Tensor = net(x, own, t)
        return guided

    def _apart(self, y: State) -> tuple[State, dict[str, Tensor]]:
        """The network's own condition, and those that encoders read."""
        if not isinstance(y, dict):
            return y, {}
        told = {name: y[name] for name in self.encoders if name in y}
        rest = {name: value for name, value in y.items() if name not in told}
        if not rest:
            return None, told
        own = rest[OWN] if [*rest] == [OWN] else rest
        if isinstance(own, dict) and not self._reads:
            name = next(name for name in rest if name != OWN)
            raise InputError(
                f"Conditioned: no encoder reads the condition {name!r}; there are "
                f"{', '.join(self.encoders)}.{suggest(name, list(self.encoders))}"
            )
        return own, told

    @property
    def _reads(self) -> bool:
        """Whether the network's own conditions have names too."""
        return any(hasattr(self.net, name) for name in ("encoders", "null")) or bool(
            getattr(self.net, "beside", 0)
        )

    def _tokens(self, name: str, value: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        encoder = self.encoders[name]
        weight = next(encoder.parameters(), None)
        there = presence(value)
        if weight is not None:
            value = value.to(weight.dtype)
        made: Tensor = encoder(value)
        if made.dim() != 3 or made.shape[0] not in (1, batch):
            raise InputError(
                f"Conditioned: the encoder of {name!r} must return tokens [{batch}, n, width]; it "
                f"returned {list(made.shape)} for {list(value.shape)}."
            )
        made = made.expand(batch, -1, -1)
        return made, there[:, None].expand(batch, made.shape[1])


def _width(encoders: Mapping[str, nn.Module]) -> int:
    where = "Conditioned.encoders"
    fits = isinstance(encoders, Mapping) and len(encoders) > 0
    require(fits, where, "modules by name, such as {'style': Encoder(...)}", repr(encoders))
    widths = dict[str, Any]()
    for name, encoder in encoders.items():
        fits = isinstance(encoder, nn.Module) and not isinstance(encoder, Net)
        require(fits, f"{where}[{name!r}]", "an nn.Module from a condition to tokens",
                repr(encoder))  # fmt: skip
        require(name != OWN, where, f"names other than {OWN!r}, the network's own condition", name)
        widths[name] = getattr(encoder, "width", None)
        wanted = "a module that says the size of its tokens, the attribute width"
        require(isinstance(widths[name], int), f"{where}[{name!r}]", wanted, repr(encoder))
    require(len(set(widths.values())) == 1, where, "tokens of one width", widths)
    return int(next(iter(widths.values())))
