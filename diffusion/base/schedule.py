"""The contract of noise schedules."""

from __future__ import annotations

from torch import Tensor

from ..component import Component


class Schedule(Component):
    r"""How fast signal turns into noise. Implement `compute` or `scales`; the other is derived.

    Args:
        steps: T, the number of steps of the discrete process.
    """

    steps: int

    def compute(self) -> Tensor:
        r"""Per-step $\alpha_t$ for t = 0..T, with $\bar\alpha_t = \prod_{i \le t} \alpha_i$."""
        from ..schedule.scales import alphas

        return alphas(self)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """(signal, sigma) of z = signal·x + sigma·epsilon at continuous times u = t/T in [0, 1]."""
        from ..schedule.scales import interpolated

        return interpolated(self, u)

    def slopes(self, u: Tensor) -> tuple[Tensor | float, Tensor | float] | None:
        """d/du of the scales, where they have a short form; None takes central differences."""
        return None
