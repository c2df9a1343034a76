r"""The number by which a network of a Diffusers folder is told the time.

| kind | number at time t of T, with r = sigma/signal | used by |
|---|---|---|
| index | t - 1, the place in the table of betas; between steps see below | most |
| flow | T·sigma/(signal + sigma) | flow matching |
| noise | log(r)/4 | EDM (Karras et al. 2022, table 1) |
| angle | 2/π·atan(r) | DanceDiffusion, Stable Audio |

Between two steps of the table log r is linear in the index, as in the schedule; with
`between="sigma"` r is.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...base import Time
from ...component import Component
from ...errors import choose
from ...noise import Clock

ALMOST = 1e-4
"""Numbers this close below an integer are that integer: times may have been float32."""


class Timestep(Component):
    """A time of ours as the network's number.

    Args:
        kind: "index", "flow", "noise" or "angle"; see above.
        between: what is linear between two steps of the table, "log" r or "sigma", which is r.
        whole: numbers are "kept" as they are, the nearest integer ("round"), or cut ("floor").
    """

    kind: str = "index"
    between: str = "log"
    whole: str = "kept"

    def __post_init__(self) -> None:
        choose("Timestep.kind", self.kind, KINDS)
        choose("Timestep.between", self.between, ("log", "sigma"))
        choose("Timestep.whole", self.whole, ("kept", "round", "floor"))

    def __call__(self, t: Any, clock: Clock) -> Any:
        """The number for a host time, or numbers in float64 for a tensor of times `[b]`.

        Args:
            t: int (step index), float (u = t/T), or a tensor of either.
            clock: the scales of the process by time, `noise.bind(schedule).clock`.
        """
        host = not isinstance(t, Tensor)
        at = torch.tensor([t]) if isinstance(t, int) else t
        at = torch.tensor([t], dtype=torch.float64) if isinstance(t, float) else at
        sigma = self.kind == "index" and self.between == "sigma"
        found = self._whole((_linear if sigma else KINDS[self.kind])(clock, at))
        return found.item() if host else found

    def _whole(self, number: Tensor) -> Tensor:
        if self.whole == "round":
            return number.round()
        return (number + ALMOST).floor() if self.whole == "floor" else number


class Steps(Time):
    """Steps of a table as floats u = t/T, uniform: training is on them, and sampling between."""

    continuous: ClassVar[bool] = True

    def sample(self, steps: int, size: int) -> Tensor:
        return torch.randint(1, steps + 1, (size,)) / steps


def ratio(clock: Clock, t: Tensor) -> Tensor:
    """r = sigma/signal at a tensor of times."""
    signal, sigma = clock(t)
    return torch.as_tensor(sigma / signal, dtype=torch.float64, device=t.device)


def _index(clock: Clock, t: Tensor) -> Tensor:
    """t - 1, no less than 0: before the first step of the table there is no other number."""
    place = t.double() * clock.steps if t.is_floating_point() else t.double()
    return (place - 1).clamp_min(0)


def _linear(clock: Clock, t: Tensor) -> Tensor:
    """The same, with r linear between steps."""
    if not t.is_floating_point():
        return _index(clock, t)
    low = _index(clock, t).floor().clamp_max(max(clock.steps - 2, 0)).long() + 1
    ends = low, (low + 1).clamp_max(clock.steps)
    start, end, here = (ratio(clock, one) for one in (*ends, t))
    return low - 1 + ((here - start) / (end - start).clamp_min(1e-300)).clamp(0, 1)


def _flow(clock: Clock, t: Tensor) -> Tensor:
    signal, sigma = clock(t)
    return torch.as_tensor(clock.steps * (sigma / (signal + sigma)), device=t.device).double()


def _noise(clock: Clock, t: Tensor) -> Tensor:
    return ratio(clock, t).log() / 4


def _angle(clock: Clock, t: Tensor) -> Tensor:
    signal, sigma = clock(t)
    return torch.atan2(sigma, signal) * (2 / math.pi)


KINDS: dict[str, Callable[[Clock, Tensor], Tensor]] = {
    "index": _index,
    "flow": _flow,
    "noise": _noise,
    "angle": _angle,
}
