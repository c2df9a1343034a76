r"""What Diffusers' schedulers do to the predicted x, where `diffusion.guidance.Threshold` is other.

DDIM clips x and goes on with the epsilon that the network said, so that z = signal·x +
sigma·epsilon no longer holds (`Kept`). With a quantile, x is divided by s = min(max(quantile, 1),
`sample_max_value`) after clipping, and the quantile is interpolated between ranks (`Quantile`).
Latent consistency models mix x with z, to be z at the timestep 0 (`Boundary`; Luo et al. 2023,
equation 9):

    x -> c·x + d²/(k² + d²)·z,    c = k/√(k² + d²),    k = scaling·timestep,    d = 1/2
"""

from typing import Any

from torch import Tensor

from ...base import Guidance, Noise, Predict
from ...errors import require
from ...guidance.denoised import gaussian, replace
from ...noise.clock import fit
from ...noise.split import Split, for_epsilon, for_x
from ...tree import State
from .timestep import Timestep


class Kept(Guidance):
    """x is read from what `inner` makes of the prediction, and epsilon from the prediction."""

    inner: Guidance

    def fits(self, noise: Noise[Any]) -> str | None:
        return self.inner.fits(noise) or gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: Tensor, y: State, t: Any) -> Any:
            hat: Any = predict(z, y, t)
            changed: Any = self.inner(lambda *_: hat, noise)(z, y, t)
            return Split(for_x(changed), for_epsilon(hat))

        return guided


class Quantile(Guidance):
    """Dynamic thresholding with a largest divisor; Saharia et al. 2022, section 2.3.

    Args:
        quantile: of |x| in a sample. most: the largest divisor s.
    """

    quantile: float = 0.995
    most: float = 1.5

    def __post_init__(self) -> None:
        require(0 < self.quantile <= 1, "Quantile.quantile", "in (0, 1]", self.quantile)
        require(self.most >= 1, "Quantile.most", "at least 1", self.most)

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: Tensor, y: State, t: Any) -> Any:
            hat: Any = predict(z, y, t)
            return replace(noise, z, t, hat, self._clipped(noise.predict(z, t, hat)))

        return guided

    def _clipped(self, x: Tensor) -> Tensor:
        wide = x if x.element_size() >= 4 else x.float()
        edge = wide.flatten(1).abs().quantile(self.quantile, dim=1).clamp(1, self.most)
        edge = edge.reshape(-1, *(1,) * (x.dim() - 1))
        return (wide.clamp(-edge, edge) / edge).to(x.dtype)


class Boundary(Guidance):
    """The mixture that makes a network a consistency function.

    Args:
        scaling: of the timestep, `timestep_scaling`.
    """

    scaling: float = 10.0

    def fits(self, noise: Noise[Any]) -> str | None:
        return gaussian(self, noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        told = Timestep()

        def guided(z: Tensor, y: State, t: Any) -> Any:
            hat: Any = predict(z, y, t)
            k = self.scaling * told(t, noise.clock)
            share = 0.25 / (k**2 + 0.25)
            x = fit(k * (k**2 + 0.25) ** -0.5, z) * noise.predict(z, t, hat) + fit(share, z) * z
            return replace(noise, z, t, hat, x.to(z.dtype))

        return guided
