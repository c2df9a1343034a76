"""Networks joined by `|`."""

from typing import Any

from torch import Tensor, nn

from ..base import Net


class Chain(Net):
    """`net | module | module`: a net, then modules on its output."""

    def __init__(self, net: Net, *modules: nn.Module) -> None:
        inner, before = (net.net, tuple(net.after)) if isinstance(net, Chain) else (net, ())
        self.net = inner
        self.after = nn.Sequential(*before, *modules)

    def __getattr__(self, name: str) -> Any:
        if name in ("labels", "outputs", "condition"):
            return getattr(super().__getattr__("net"), name)
        return super().__getattr__(name)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        result: Tensor = self.after(self.net(x, y, t))
        return result
