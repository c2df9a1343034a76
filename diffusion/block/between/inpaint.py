"""Known places that stay known while the rest is sampled."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from ... import rng
from ...errors import InputError
from ...model import Model
from ...noise.gaussian import Gaussian
from ..base import Block
from ..coder import fitted
from ..port import Ports


class Hold(Block):
    """After each step, the places of `kept` hold `original`, noised to the time but for the last.

    Lugmayr et al. 2022 (RePaint, equation 8), without resampling; for any noise that is a
    `Bridge`. The noise is the same after each step, that of `seed`, which pure noise begins with
    too; where `noise` is given, a Gaussian sampling begins with that, and so do the known places.
    """

    model: Model[Any]

    def ports(self) -> Ports:
        return fitted(self.model, super().ports(), "state", "original", "noise")

    def __call__(
        self, state: Tensor, time: float, step: int, steps: int, original: Tensor, kept: Tensor,
        seed: Any = None, noise: Tensor | None = None,
    ) -> Annotated[Tensor, "state"]:  # fmt: skip
        """`original`: encoded items. `kept`: booleans that broadcast to them, True where known."""
        if kept.dtype != torch.bool:
            raise InputError(
                f"kept: expected booleans, True where items are kept; got {kept.dtype}."
            )
        try:
            places = kept.to(state.device).expand(state.shape)
        except RuntimeError:
            raise InputError(
                f"kept: shape {list(kept.shape)} does not broadcast to the states "
                f"{list(state.shape)}."
            ) from None
        known = original.to(state)
        if step + 1 < steps:
            known = self._noised(known, time, seed, noise)
        return torch.where(places, known.to(state.dtype), state)

    def _noised(self, original: Tensor, time: float, seed: Any, noise: Tensor | None) -> Tensor:
        process = self.model.bind()
        if noise is not None and isinstance(self.model.noise, Gaussian):
            signal, sigma = process.clock(time)
            top = sum(part**2 for part in process.clock(self._start())) ** 0.5
            given: Tensor = signal * original + (sigma / top) * noise.to(original)
            return given
        draws = rng.samples(rng.entropy() if seed is None else seed, len(original))
        found: Tensor = process.known(original, time, draws)
        return found

    def _start(self) -> Any:
        return 1.0 if self.model.time.continuous else self.model.schedule.steps
