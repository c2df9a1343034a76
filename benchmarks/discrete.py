"""Samplers of categorical noise on laws that are known: distance from the data by network calls.

    python benchmarks/discrete.py

Total variation between the law of the samples and that of the data, with the exact network. Both
laws have few sequences, so most figures are sums without chance; those of unmasking in the
network's order are counted from samples, whose chance alone is given below each table.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diffusion import rng
from diffusion.base import Sampler
from diffusion.exact import Enumerated
from diffusion.exact.pushed import pushed
from diffusion.noise import Absorbing, Uniform
from diffusion.sampler import Ancestral, Confident, EntropyBound, Remask, TauLeap, Trapezoidal
from diffusion.schedule import LogLinear
from diffusion.tree import State

EVERY = (Ancestral(), TauLeap(), Trapezoidal())
CALLS, SIZE = (2, 4, 8, 16, 32, 64), 100_000


def chain() -> Tensor:
    """Four bits, each like the one before it with probability 0.65."""
    step = torch.tensor([[0.65, 0.35], [0.35, 0.65]], dtype=torch.float64)
    return 0.5 * torch.einsum("ij,jk,kl->ijkl", step, step, step)


def random() -> Tensor:
    """Three tokens of three classes that determine each other to a large part."""
    return torch.rand((3, 3, 3), generator=torch.Generator().manual_seed(3)).double() ** 4


def masked(p: Tensor) -> Tensor:
    """The same law with one class more, the mask, that never occurs."""
    return torch.nn.functional.pad(p, (0, 1) * p.dim())


def times(steps: int) -> list[float]:
    return [1 - i / steps for i in range(steps)] + [0.0]


def exact(law: Enumerated, noise: Absorbing | Uniform, sampler: Sampler) -> list[float]:
    """Total variation at each number of calls; a trapezoidal step takes two."""
    each = 2 if isinstance(sampler, Trapezoidal) else 1
    return [law.variation(pushed(law, noise, sampler, times(n // each))) for n in CALLS]


def counted(law: Enumerated, noise: Absorbing, sampler: Sampler, steps: int) -> tuple[float, float]:
    """Calls for a sample in the mean, and total variation, from `SIZE` samples."""
    length, k, oracle = law.p.dim(), law.classes, law.oracle(noise)
    place = k ** torch.arange(length - 1, -1, -1)

    def predict(z: State, y: State, t: Any) -> Tensor:
        return oracle(law.sequences, y, t)[
            :, (z * place).sum(1)
        ]  # each state once, not each sample

    z, calls = torch.full((SIZE, length), noise.mask), 0.0
    for state in sampler(noise, predict, z, None, times(steps), rng.generator(0)):
        calls += float((z == noise.mask).any(1).double().mean())
        z = state
    table = torch.bincount((z * place).sum(1), minlength=law.p.numel()).reshape(law.p.shape)
    return calls, law.variation(table / SIZE)


def row(name: str, values: Sequence[float]) -> str:
    cells = (f"{v:.5f}" if isinstance(v, float) and v < 1 else f"{v:g}" for v in values)
    return f"| {name} | " + " | ".join(cells) + " |"


def report(title: str, p: Tensor) -> None:
    """Both noises, one table for each kind of sampler."""
    print(f"\n{title}\n")
    print(row("total variation by network calls", CALLS), "\n|" + "---|" * (len(CALLS) + 1), sep="")
    for sampler in EVERY:
        uniform = Uniform(len(p)).bind(LogLinear())
        print(row(f"uniform, {sampler!r}", exact(Enumerated(p), uniform, sampler)))
    bed, bound = Enumerated(masked(p)), Absorbing(len(p) + 1).bind(LogLinear())
    for sampler in (*EVERY, Remask(), Remask(0.2, "rescale")):
        print(row(f"absorbing, {sampler!r}", exact(bed, bound, sampler)))
    print("\n| absorbing, in the network's order | calls | total variation |\n|---|---|---|")
    for sampler, steps in (
        *((Confident(order=order), n) for order in ("drawn", "peak") for n in (2, p.dim())),
        *((Confident(0.0, "entropy"), n) for n in (2, p.dim())),
        *((EntropyBound(bound), p.dim()) for bound in (1.0, 0.5, 0.2, 0.0)),
    ):
        print(row(f"{sampler!r}, {steps} steps", counted(bed, bound, sampler, steps)))
    chance = 0.5 * float((2 * bed.p * (1 - bed.p) / (math.pi * SIZE)).sqrt().sum())
    print(f"\nBy chance alone: {chance:.5f}.")


def main() -> None:
    torch.set_num_threads(1)
    report("Four bits in a chain, weakly dependent:", chain())
    report("Three tokens of three classes, strongly dependent:", random())


if __name__ == "__main__":
    main()
