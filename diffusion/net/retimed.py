r"""A trained network under another process than the one it was trained under.

At equal signal-to-noise ratio two Gaussian processes have the same states, but for a factor:

    z' = z·\sqrt{(signal'^2 + sigma'^2)/(signal^2 + sigma^2)}

so a network knows what to do with z as soon as it is shown z', and told the time t' at which its
own process has that ratio. What it answers is x and epsilon, by its own parametrisation at t'; the
new process reads them by another one at t. Both are linear, so

    hat = (a·xz' + b·ez')·z' + (a·xh' + b·eh')·hat'

with the row (a, b) of the new target and the solve (xz, xh, ez, eh) of the old one; see
`diffusion.parameter`. Karras et al. 2022, appendix C, do this by hand for four kinds of networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from ..base import Net, Schedule, Time
from ..errors import MismatchError, require
from ..noise.clock import fit
from ..noise.gaussian import Gaussian
from ..parameter import ROWS

if TYPE_CHECKING:
    from ..model import Model

HALVINGS = 32
SAID = ("labels", "condition", "beside", "encoders", "outputs", "least")
"""What networks say of themselves."""


class Retimed(Net):
    """A trained network that keeps the process it was trained under, whatever its model follows.

        other = model.replace(net=net.Retimed.of(model))
        other.replace(schedule=schedule.Spectral.of(x)).sample(batch=8, steps=10)

    The new process may have another schedule, path, parametrisation and kind of times. Under its
    own the network is called as it is. Noise beyond that of its own t = T is told as t = T.

    Args:
        net: the network. schedule, noise, time: of its training. A network that knows step indices
            is told the nearest one, never 0; the more steps it knows, the less that costs.

    Called by itself, not by a model, it takes the times that `net` takes.
    Errors: a noise that is not Gaussian, here or of the model; a learned log variance, which no
    other process shares (`variance="range"` is passed on).
    """

    net: Net
    schedule: Schedule
    noise: Gaussian
    time: Time

    def __post_init__(self) -> None:
        for name, kind in (("net", Net), ("schedule", Schedule), ("time", Time)):
            value = getattr(self, name)
            fits = isinstance(value, kind)
            require(fits, f"Retimed.{name}", f"a {kind.__name__}", type(value).__name__)
        _gaussian("Retimed.noise", self.noise)
        self._own = self.noise.bind(self.schedule)

    @classmethod
    def of(cls, model: Model[Any]) -> Self:
        """The network of a model, with averaged weights if there are any."""
        from ..sampling.network import weights

        net: Any = weights(model)[0]
        return cls(net, model.schedule, model.noise, model.time)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.net, name) if name in SAID else super().__getattr__(name)

    def forward(self, x: Tensor, y: Any, t: Tensor) -> Tensor:
        hat: Tensor = self.net(x, y, t)
        return hat

    def under(self, noise: Any) -> Callable[..., Any]:
        _gaussian("noise and net", noise)
        same = noise.clock.inner == self.schedule and noise.vary(eta=self.noise.eta) == self.noise

        def answer(x: Tensor, y: Any, t: Tensor) -> Tensor:
            if same and t.is_floating_point() == self.time.continuous:
                hat: Tensor = self(x, y, t)
                return hat
            return self._answer(noise, x, y, t)

        return answer

    def _answer(self, noise: Gaussian, x: Tensor, y: Any, t: Tensor) -> Tensor:
        signal, sigma = noise.clock(t)
        u = self._when(sigma / (signal + sigma))
        own_signal, own_sigma = self._own.clock(u)
        factor = ((own_signal**2 + own_sigma**2) / (signal**2 + sigma**2)).sqrt()
        z = (x * fit(factor / _shown(noise, t), x)).to(x.dtype)
        said = self(self._own.inputs(z, u), y, self._tell(u, t))
        solved, (a, b) = self._own.solve(u), ROWS[noise.parameter](noise.point(t))
        on_z, on_hat = a * solved.xz + b * solved.ez, a * solved.xh + b * solved.eh
        hat = (fit(on_z, z) * z + fit(on_hat, z) * said[0]).to(said.dtype)
        return torch.cat([hat.unsqueeze(0), said[1:]])

    def _when(self, level: Tensor) -> Tensor:
        """The times u at which sigma/(signal + sigma) has these values, by bisection."""
        low, high = torch.zeros_like(level), torch.ones_like(level)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            less = _level(self._own.clock(middle)) < level
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        return high

    def _tell(self, u: Tensor, t: Tensor) -> Tensor:
        """The network's own times, as it knows them."""
        if self.time.continuous:
            return u.to(t.dtype if t.is_floating_point() else torch.get_default_dtype())
        return (u * self.schedule.steps).round().long().clamp_min(1)


def _gaussian(what: str, noise: Any) -> None:
    if not isinstance(noise, Gaussian) or noise.variance == "learned":
        raise MismatchError(
            f"{what}: Retimed translates between Gaussian processes whose variance is 'fixed' or "
            f"'range'; got {noise!r:.200}. Keep the schedule that the network was trained under."
        )


def _level(scales: tuple[Tensor, Tensor]) -> Tensor:
    return scales[1] / (scales[0] + scales[1])


def _shown(noise: Gaussian, t: Tensor) -> Tensor:
    """By what factor `noise` rescales what a network sees, `[b]`."""
    return noise.inputs(torch.ones(len(t), dtype=torch.float64, device=t.device), t)
