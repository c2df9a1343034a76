"""`net | module | module`: a network whose output passes through further modules."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from ..base import Net
from ..component import Component
from ..errors import require


class Chain(Net):
    """A network, then modules that take its output `hat` alone.

    Chains are flat: `Chain(net, a) | b` is `Chain(net, a, b)`.

    Args:
        net: the network, called with `(x, y, t)`. It stays at `.net`.
        modules: called one after the other with `hat` `[p, b, ...]`. They stay at `.after`.
    """

    def __init__(self, net: Net, *modules: nn.Module) -> None:
        require(isinstance(net, Net), "Chain.net", "a Net", type(net).__name__)
        for module in modules:
            fits = isinstance(module, nn.Module) and not isinstance(module, Net)
            fix = "Only the first module can be a Net." if isinstance(module, Net) else ""
            wanted = "an nn.Module that takes hat alone"
            require(fits, "net | module", wanted, type(module).__name__, fix)
        inner: tuple[nn.Module, ...] = tuple(net.after) if isinstance(net, Chain) else ()
        self.net: Net = net.net if isinstance(net, Chain) else net
        self.after: nn.Sequential = nn.Sequential(*inner, *modules)

    @property
    def labels(self) -> int:
        """The network's number of classes."""
        return int(attrgetter("labels")(self.net))

    @property
    def condition(self) -> int:
        """The size of the network's floating conditions."""
        return int(attrgetter("condition")(self.net))

    @property
    def beside(self) -> int:
        """The channels of pictures that the network takes as conditions."""
        return int(attrgetter("beside")(self.net))

    @property
    def outputs(self) -> int:
        """The network's number of predicted parameters."""
        return int(attrgetter("outputs")(self.net))

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        hat: Tensor = self.after(self.net(x, y, t))
        return hat

    def under(self, noise: Any) -> Callable[..., Any]:
        inner = self.net.under(noise)
        return lambda x, y, t: self.after(inner(x, y, t))

    def __or__(self, module: nn.Module) -> "Chain":
        return Chain(self.net, *self.after, module)

    def __repr__(self) -> str:
        parts = (self.net, *self.after)
        return " | ".join(Component.__repr__(m) if isinstance(m, Net) else repr(m) for m in parts)
