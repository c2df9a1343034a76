"""The contract of denoiser networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .module import Module


class Net(Module):
    """A denoiser: an `nn.Module` with `forward(x, y, t) -> hat`.

    `x` is the noisy state `[b, ...]`, `y` the conditions, `t` the times `[b]` (integer 0..T or
    floating in [0, 1], whichever the model's `Time` draws). `hat` is `[p, b, ...]`: its first axis
    is the index of the predicted parameter, even when there is one. `net | module` is a `Net`.
    """

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict the parameters: `[b, ...] -> [p, b, ...]`."""

    def under(self, noise: Any) -> Callable[..., Any]:
        """What is called as the network, `(x, y, t) -> hat`, where states follow the bound `noise`.

        Itself, but for networks that translate between processes, such as `net.Retimed`.
        """
        return self

    def __or__(self, module: nn.Module) -> Net:
        from ..net.chain import Chain

        return Chain(self, module)
