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

from torch import Tensor

from ..base import Guidance, Noise, Predict
from ..errors import InputError, choose, require
from ..noise.split import each
from ..tree import State
from .conjugate import conjugate
from .denoised import gaussian, lever, move
from .slope import Slope, slope

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
        require(self.noise > 0, "Observe.noise", "a standard deviation > 0", self.noise)
        require(self.strength >= 0, "Observe.strength", ">= 0", self.strength)
        require(self.iterations >= 1, "Observe.iterations", "at least 1", self.iterations)

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        if self.strength == 0:
            return predict

        def guided(z: Tensor, y: State, t: Any) -> State:
            scale = lever(noise, t)
            if not isinstance(scale, Tensor) and scale == 0:
                return predict(z, y, t)
            with slope(z) as taken:
                hat = predict(taken.point, y, t)
                x = noise.predict(taken.point, t, hat)
                seen = self.operator(x)
                gap = taken.result(self._gap(seen))
                weighed = self._weighed(gap, seen, x, taken, scale, noise.clock(t))
                score = taken.result(taken.of(seen, weighed))
            return move(noise, z, t, each(taken.result, hat), self.strength * score)

        return guided

    def _gap(self, seen: Tensor) -> Tensor:
        """y - A·x̂, with y repeated where the batch holds several copies of the samples."""
        y = self.y.to(seen).unsqueeze(0) if self.y.dim() < seen.dim() else self.y.to(seen)
        if y.shape[1:] != seen.shape[1:] or len(seen) % len(y):
            raise InputError(
                f"Observe.y: expected what the operator makes of a state, {list(seen.shape[1:])}, "
                f"for one or for each of {len(seen)} samples; got {list(self.y.shape)}."
            )
        gap: Tensor = y.repeat(len(seen) // len(y), *(1,) * (seen.dim() - 1)) - seen
        return gap

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
