"""A labelled mixture, whose conditional and unconditional predictions are known exactly."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from diffusion import noise, schedule
from diffusion.exact import Mixture

BED = Mixture(
    torch.tensor([0.3, 0.5, 0.2]),
    torch.tensor([[1.0, 0.2], [-0.8, 0.6], [0.1, -1.1]], dtype=torch.float64),
    torch.tensor([0.3, 0.2, 0.4], dtype=torch.float64),
)
Z = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([1, 2, 3, 1, 2, 3])
NULL = torch.zeros_like(Y)
CLOSE: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}  # float64, and a few dozen operations


def bound(parameter: str = "velocity", **options: Any) -> noise.Gaussian:
    """A flow, where signal = 1 - u and sigma = u."""
    return noise.Gaussian(parameter, **options).bind(schedule.Flow(100))


def asked(predict: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """The same prediction, and the sizes of the batches it is asked for."""
    sizes: list[int] = []

    def counted(z: Tensor, y: Any, t: Any) -> Any:
        sizes.append(len(z))
        return predict(z, y, t)

    return counted, sizes


def posterior(z: Tensor, signal: Any, sigma: Any) -> Tensor:
    """log p(y | z) up to a constant, `[b, 3]`: of numbers that don't underflow."""
    ids = (torch.full((len(z),), k) for k in (1, 2, 3))
    logs = torch.stack([BED.log_density(z, signal, sigma, one) for one in ids], 1)
    return logs + BED.weights.double().log()


class Posterior(nn.Module):
    """The exact classifier of noisy states of a flow."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        u = t.double() / 100 if not t.is_floating_point() else t.double()
        return posterior(z, 1 - u, u)


class Oracle(nn.Module):
    """The exact prediction as a network; blind ones see no labels."""

    def __init__(self, process: Any, blind: bool = False) -> None:
        super().__init__()
        self.process, self.blind = process, blind

    def forward(self, z: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return BED.oracle(self.process)(z, torch.zeros_like(y) if self.blind else y, t)
