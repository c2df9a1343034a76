r"""The squared error of a predicted parameter, $\|target - \hat{target}\|^2$."""

from typing import Any

from torch import Tensor, nn

from .. import tree
from ..base import Batch, Distribution
from ..errors import InputError, choose
from ..noise.clock import fit
from ..parameter import ROWS, gain
from ..weight import Weight
from .algebra import Sampled


class Simple(Sampled[Distribution]):
    r"""$L_{simple}$ (Ho et al. 2020, equation 14) for any parameter.

    Args:
        parameter: what `hat[index]` is compared with: "x", "epsilon", or any row of
            `diffusion.parameter`; None is whatever the noise says that the network predicts.
        index: which predicted parameter. weight: a `diffusion.weight`, None for the plain mean.
    """

    parameter: str | None = None
    index: int = 0
    weight: Weight | None = None

    def __post_init__(self) -> None:
        if self.parameter is not None and self.parameter not in ROWS:
            choose("Simple.parameter", self.parameter, ROWS)

    def compute(self, batch: Batch[Distribution]) -> Tensor:
        plain = self.weight is None and batch.importance is None
        if plain and type(self).each is Simple.each:  # one fused operation
            return nn.functional.mse_loss(batch.hat[self.index], self._target(batch))
        return super().compute(batch)

    def each(self, batch: Batch[Distribution]) -> Tensor:
        error = tree.mean((batch.hat[self.index] - self._target(batch)) ** 2)
        if self.weight is None:
            return error
        signal, sigma = batch.noise.clock(batch.t)
        on_x = self.weight((signal / sigma) ** 2)
        gained = gain(self._name(batch), batch.noise.point(batch.t))
        return error * fit(on_x / gained**2, error)

    def _name(self, batch: Batch[Distribution]) -> Any:
        return self.parameter or getattr(batch.noise, "parameter", "x")

    def _target(self, batch: Batch[Distribution]) -> Tensor:
        name = self._name(batch)
        if name == "x":
            return batch.x
        if name == "epsilon":
            return batch.epsilon
        if not hasattr(batch.noise, "target"):
            raise InputError(
                f"Simple(parameter={name!r}): {batch.noise!r} does not define that target; a noise "
                "with the five tutorial methods offers 'x' and 'epsilon'."
            )
        target: Tensor = batch.noise.target(name, batch.x, batch.epsilon, batch.t)
        return target
