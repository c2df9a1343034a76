"""Five laws on which samplers are compared: their denoisers are known, and where the ODE leads."""

import math

import torch

from .mixture import Mixture


def beds() -> dict[str, Mixture]:
    """Mixtures in float64 by name; the first three are on the line, where `flow` is exact.

    "three": unlike components. "lopsided": a rare one far off. "comb": eight narrow ones in a row.
    "ring": eight on a circle in the plane. "tilted": four correlated ones in eight dimensions.
    """
    angle = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    draws = torch.Generator().manual_seed(5)
    means = torch.randn(4, 8, dtype=torch.float64, generator=draws)
    roots = torch.randn(4, 8, 8, dtype=torch.float64, generator=draws) * 0.15
    return {
        "three": _line([0.3, 0.5, 0.2], [-1.0, 0.4, 1.2], [0.15, 0.3, 0.2]),
        "lopsided": _line([0.9, 0.1], [0.0, 2.0], [0.3, 0.1]),
        "comb": _line([1 / 8] * 8, [0.4 * i - 1.4 for i in range(8)], [0.08] * 8),
        "ring": Mixture(torch.ones(8), torch.stack([angle.cos(), angle.sin()], 1), 0.12),
        "tilted": Mixture(torch.ones(4), means, None, roots @ roots.mT),
    }


def _line(weights: list[float], means: list[float], stds: list[float]) -> Mixture:
    column = torch.tensor(means, dtype=torch.float64).unsqueeze(1)
    return Mixture(torch.tensor(weights), column, torch.tensor(stds, dtype=torch.float64))
