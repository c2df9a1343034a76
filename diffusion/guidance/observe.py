r"""Linear inverse problems: samples of x that agree with an observation y = A·x + n, n ~ N(0, R).

p(y | z) is taken as a Gaussian around A·x̂, x̂ = E[x | z], and the gradient of its logarithm,
with J = ∂x̂/∂z, is added to the score:

    ∇_z log p(y | z) ≈ Jᵀ Aᵀ (R + A V Aᵀ)⁻¹ (y - A·x̂),   R = noise²·I

The methods differ in V, the covariance of x given z:

| method | V | source |
|---|---|---|
| mmps | sigma²/signal·J, by Tweedie's formula | Rozet et al. 2024 (MMPS) |
| pigdm | sigma²/(signal² + sigma²)·I, for data of unit variance | Song et al. 2023 (ΠGDM) |
| dps | 0, with the gradient's length in proportion to 1/|y - A·x̂| | Chung et al. 2023 (DPS) |

The systems are solved by conjugate gradients. For Gaussian x mmps is exact. For dps
R + A V Aᵀ is noise·|y - A·x̂|/√m, for m observed numbers: the paper's step length in the unit in
which strength 1 is right once only noise is left.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..base import Guidance, Noise, Predict
from ..errors import InputError, choose, require
from ..tree import State
from .conjugate import conjugate
from .denoised import gaussian, lever, move
from .number import number, positive
from .parts import outputs
from .slope import Slope, ordinary, slope

METHODS = ("mmps", "pigdm", "dps")


class Observe(Guidance):
    """Sample from the posterior of a linear observation.

    Args:
        operator: A, a linear function of states `[b, ...]`; see `diffusion.guidance.operator`.
        y: what was observed, for one state, or one for each sample with a batch axis.
        noise: standard deviation of the observation noise.
        method: the covariance of x given z: "mmps", "pigdm" or "dps".
        strength: of the observation's score; 0 is the plain prediction.
        iterations: of conjugate gradients; for mmps each costs a pass back through the network.
    """

    operator: Callable[[Tensor], Tensor]
    y: Tensor
    noise: float = 0.05
    method: str = "mmps"
    strength: float = 1.0
    iterations: int = 5

    def __post_init__(self) -> None:
        require(callable(self.operator), "Observe.operator", "a function", repr(self.operator))
        choose("Observe.method", self.method, METHODS)
        tensor = isinstance(self.y, Tensor)
        require(tensor, "Observe.y", "what the operator makes of a state, a tensor", repr(self.y))
        positive("Observe.noise", self.noise, "a standard deviation > 0")
        number("Observe.strength", self.strength)
        whole = isinstance(self.iterations, int) and self.iterations >= 1
        require(whole, "Observe.iterations", "a whole number, at least 1", repr(self.iterations))

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict
        copied: set[int] = set()  # sizes of batches that hold the samples several times

        def guided(z: Tensor, y: State, t: Any) -> State:
            scale = lever(noise, t)
            if not isinstance(scale, Tensor) and scale == 0:
                return predict(z, y, t)
            with slope(z) as taken:
                hat = predict(taken.point, ordinary(y), t)
                x = noise.predict(taken.point, t, hat)
                seen = self.operator(x)
                gap = taken.result(self._given(seen, z, copied) - seen)
                weighed = self._weighed(gap, seen, x, taken, scale, noise.clock(t))
                score = taken.result(taken.of(seen, weighed))
            return move(noise, z, t, outputs(taken.result, hat), self.strength * score)

        return guided

    def _given(self, seen: Tensor, z: Tensor, copied: set[int]) -> Tensor:
        """y for every row; guidance to the right may ask about several copies of the samples."""
        y, size = ordinary(self.y).to(seen), len(z)
        y = y.unsqueeze(0) if y.dim() < seen.dim() else y
        several = 1 < len(y) < size and size % len(y) == 0 and size not in copied
        if several and torch.equal(z, z[: len(y)].repeat(size // len(y), *(1,) * (z.dim() - 1))):
            copied.add(size)
        rows = len(y) in (1, size) or size in copied
        if y.shape[1:] != seen.shape[1:] or not rows:
            raise InputError(
                f"Observe.y: expected what the operator makes of a state, {list(seen.shape[1:])}, "
                f"for one or for each of {size} samples; got {list(self.y.shape)}."
            )
        given: Tensor = y.repeat(size // len(y), *(1,) * (seen.dim() - 1))
        return given

    def _weighed(
        self, gap: Tensor, seen: Tensor, x: Tensor, taken: Slope, scale: Any, level: Any
    ) -> Tensor:
        """(R + A V Aᵀ)⁻¹ (y - A·x̂)."""
        if self.method == "dps":
            rms = gap.flatten(1).square().mean(1).sqrt().clamp_min(1e-12)
            weighed: Tensor = gap / (self.noise * _column(rms, gap))
            return weighed
        if self.method == "mmps":
            factor, at = _column(scale, gap), taken.point
        else:
            signal, sigma = level
            factor, at = _column(sigma**2 / (signal**2 + sigma**2), gap), x

        def apply(u: Tensor) -> Tensor:
            spread: Tensor = factor * self.operator(taken.of(seen, u, at))
            return self.noise**2 * u + spread

        return conjugate(apply, gap, self.iterations)


def _column(value: Any, like: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.to(like).reshape(-1, *(1,) * (like.dim() - 1))
