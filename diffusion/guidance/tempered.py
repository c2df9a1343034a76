r"""Sharper token probabilities: temperature, and the nucleus.

    Temperature : log p -> log p / value
    Nucleus     : the smallest set of classes that holds `mass` of p; the others get none

Holtzman et al. 2020, section 3. Both change p(x | z), the prediction of the clean token, so they
work with every sampler of categorical noise. Other parts of a joint state stay as they are.
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from ..base import Guidance, Noise, Predict
from ..errors import MismatchError, require
from ..noise.categorical import Redraw
from ..tree import State
from .number import positive
from .parts import NONE, each, members, written


class Tempered(Guidance):
    """Changes log p(x | z) of categorical noise; subclasses say how."""

    @abstractmethod
    def sharpen(self, log_p: Tensor) -> Tensor:
        """Other log-probabilities, up to a constant, from normalised ones `[..., K]`."""

    def fits(self, noise: Noise[Any]) -> str | None:
        if any(isinstance(part, Redraw) for part in members(noise)):
            return None
        return (
            f"{self!r} changes the probabilities of tokens, and {type(noise).__name__} predicts "
            "none. Use it with noise.Uniform, noise.Absorbing, noise.Mixed or noise.Structured."
        )

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        reason = self.fits(noise)
        if reason is not None:
            raise MismatchError(f"guidance and noise: {reason}")

        def guided(z: State, y: State, t: Any) -> State:
            return each(self._apply, noise, z, t, predict(z, y, t))

        return guided

    def _apply(self, noise: Any, z: Tensor, t: Any, hat: Any) -> Any:
        if not isinstance(noise, Redraw):
            return hat
        return written(noise, self.sharpen(noise.predict(z, t, hat)), hat)


class Temperature(Tempered):
    """Flatten (value > 1) or sharpen (value < 1) the law of each token; 1 changes nothing."""

    value: float = 0.7

    def __post_init__(self) -> None:
        positive("Temperature.value", self.value)

    def sharpen(self, log_p: Tensor) -> Tensor:
        return log_p / self.value


class Nucleus(Tempered):
    """Only the likeliest classes, the fewest whose probabilities add up to `mass`; 1 is all."""

    mass: float = 0.9

    def __post_init__(self) -> None:
        positive("Nucleus.mass", self.mass, "a number in (0, 1]")
        require(self.mass <= 1, "Nucleus.mass", "a number in (0, 1]", self.mass)

    def sharpen(self, log_p: Tensor) -> Tensor:
        if self.mass == 1:
            return log_p
        ordered, order = log_p.sort(dim=-1, descending=True, stable=True)
        likelier = ordered.exp().cumsum(-1) - ordered.exp()
        beyond = likelier >= self.mass
        return log_p.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), NONE)
