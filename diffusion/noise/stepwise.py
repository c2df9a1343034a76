r"""A noise that defines only the tutorial's five methods, made to fit the model.

Such a noise knows one thing, how to go from t to t - 1 of the schedule it was given. To sample in
fewer steps it is respaced: $\bar\alpha$ is sub-sampled at the chosen times, a copy is bound to the
resulting alphas, and the network still sees the original t (Nichol & Dhariwal 2021, section 4).
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..base import Noise, Schedule
from ..distribution.draw import draw
from ..errors import InputError
from ..rng import Rng
from ..schedule.scales import bars


class Stepwise:
    """A bound copy of a tutorial-style noise, with the interface of a bound `Bridge`.

    Args:
        soft: see `Bridge.bind`; the first step is split in two at the root of its alpha.
        times: descending step indices to keep, from T to 0; None keeps all.
    """

    def __init__(
        self,
        inner: Noise[Any],
        schedule: Schedule,
        soft: bool = False,
        times: Sequence[int] | None = None,
        like: Tensor | None = None,
    ) -> None:
        bar = bars(schedule)
        kept = list(range(len(bar))) if times is None else sorted(times)
        if kept[0] != 0 or any(not isinstance(t, int) for t in kept):
            raise InputError(
                f"{type(inner).__name__}: knows integer steps only; times must be step indices "
                f"ending at 0, got {list(times or [])[:8]}. Use time=Discrete()."
            )
        bar = bar[kept]
        if soft:
            bar[0] = bar[1].sqrt()
        dtype = torch.float64 if like is not None and like.dtype == torch.float64 else torch.float32
        device = "cpu" if like is None else like.device
        alpha = torch.cat([bar[:1], bar[1:] / bar[:-1]])
        self.inner = copy.copy(inner)
        self.inner.schedule(alpha.to(device, dtype))
        self.steps, self.top = len(kept) - 1, kept[-1]
        self._index = {t: i for i, t in enumerate(kept)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

    def stationary(self, shape: tuple[int, ...]) -> Any:
        return self.inner.stationary(shape)

    def prior(self, x: Tensor, t: Tensor) -> Any:
        return self.inner.prior(x, t)

    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> Any:
        return self.inner.posterior(x, z, t)

    def approximate(self, z: Tensor, t: Tensor, hat: Tensor) -> Any:
        return self.inner.approximate(z, t, hat)

    def step(self, z: Tensor, t: int, s: int, hat: Tensor) -> Any:
        """p(x_s | x_t) for neighbouring kept times."""
        index = self._index[t]
        if self._index[s] != index - 1:
            raise InputError(
                f"{type(self.inner).__name__}: can only step to the time before; asked for "
                f"{t} -> {s}. A noise with `bridge` (diffusion.base.Bridge) can go anywhere."
            )
        rows = torch.full((len(z),), index, device=z.device)
        return self.inner.approximate(z, rows, hat)

    def inputs(self, z: Tensor, t: Any) -> Tensor:
        return z

    def known(self, x: Tensor, t: Any, rng: Rng = None) -> Tensor:
        rows = torch.full((len(x),), self._index[t], device=x.device)
        state: Tensor = draw(self.inner.prior(x, rows), rng)[0]
        return state
