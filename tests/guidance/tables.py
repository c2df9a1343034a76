"""Labelled tables of tokens, whose conditional and unconditional predictions are known exactly."""

from typing import Any

import torch
from torch import Tensor, nn

from diffusion import schedule
from diffusion.exact import Enumerated
from diffusion.noise import Absorbing, Mixed, Structured, Uniform

K, MASK = 4, 3
CLASSES = torch.tensor([0.4, 0.6], dtype=torch.float64)  # p(y), y = 1 and 2
ONE = torch.tensor([[0.6, 0.3, 0.1, 0.0], [0.1, 0.35, 0.55, 0.0]], dtype=torch.float64)  # p(x | y)
TIMES = [100, 70, 50, 20, 0]
NOISES = [
    Absorbing(K), Absorbing(K, parameter="p"), Uniform(K), Structured.gaussian(K),
    Mixed(torch.tensor([0.1, 0.2, 0.3, 0.4])),
]  # fmt: skip


def bound(noise: Any) -> Any:
    """On straight paths: nothing of the data is left at t = T."""
    return noise.bind(schedule.Flow(100))


class Table:
    """p(x | y) for y = 1, 2, ..., and the marginal as y = 0; `[n, K, ...]`."""

    def __init__(self, given: Tensor = ONE, classes: Tensor = CLASSES) -> None:
        self.given, self.classes = given, classes
        self.marginal = torch.einsum("y,y...->...", classes, given)
        self.laws = [Enumerated(one) for one in (self.marginal, *given)]

    def tempered(self, y: int, strength: float) -> Tensor:
        """p(x | y)^(1 + s) / p(x)^s, normalised."""
        given = self.given[y - 1]
        law = given * (given / self.marginal.clamp_min(1e-300)) ** strength
        return law / law.sum()

    def predict(self, process: Any, blind: bool = False) -> Any:
        """The exact prediction, sample by sample for its own condition."""
        oracles = [law.oracle(process) for law in self.laws]

        def predict(z: Tensor, y: Tensor, t: Any) -> Tensor:
            found = torch.stack([one(z, None, t) for one in oracles])
            chosen = torch.zeros_like(y) if blind else y
            return found[chosen, :, torch.arange(len(z))].transpose(0, 1)

        return predict

    def posterior(self, process: Any, z: Tensor) -> Tensor:
        """log p(y | z), `[b, n]`, of ids `[b, L]`: of masks the same at every time but T."""
        index = sum(z[:, i] * K ** (z.shape[1] - 1 - i) for i in range(z.shape[1]))
        noisy = torch.stack([law.noisy(process, 50).flatten()[index] for law in self.laws[1:]], 1)
        return (noisy * self.classes).log().log_softmax(1)

    def guided_law(self, process: Any, guided: Any, y: int, times: Any = TIMES) -> Tensor:
        """What the ancestral sampler makes of a guided prediction, exactly."""

        def predict(z: Tensor, _: Any, t: Any) -> Tensor:
            return guided(z, torch.full((len(z),), y), t)

        return self.laws[0].law(process, predict, times)


class Blind(nn.Module):
    """The exact network that sees no labels."""

    def __init__(self, table: Table, process: Any) -> None:
        super().__init__()
        self.predict = table.predict(process, blind=True)

    def forward(self, z: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return self.predict(z, y, int(t[0]))


class Judge(nn.Module):
    """The exact classifier of noisy states."""

    def __init__(self, table: Table, process: Any) -> None:
        super().__init__()
        self.table, self.process = table, process

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return self.table.posterior(self.process, z)
