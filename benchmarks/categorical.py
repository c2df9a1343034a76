"""Rank-one categorical noise against the dense K × K form, and a large vocabulary.

    python benchmarks/categorical.py

The dense form multiplies one-hot vectors with explicit transition matrices, as the equations of
Austin et al. 2021 are usually written down.
"""

import resource

import torch
from ratio import HEAD, ratio, row
from torch import Tensor

from diffusion import noise, schedule

K, BATCH, LENGTH = 1024, 8, 64


class Dense:
    """Uniform noise by matrices `[K, K]`."""

    def __init__(self, k: int, alpha: Tensor) -> None:
        self.k, self.alpha, self.bar = k, alpha, alpha.cumprod(0)

    def matrix(self, keep: Tensor) -> Tensor:
        """keep·I + (1 - keep)/K, `[b, K, K]`."""
        keep = keep.view(-1, 1, 1)
        return keep * torch.eye(self.k) + (1 - keep) / self.k

    def prior(self, x: Tensor, t: Tensor) -> Tensor:
        return x @ self.matrix(self.bar[t])

    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        step, before = self.matrix(self.alpha[t]), self.matrix(self.bar[t - 1])
        p = (z @ step.transpose(1, 2)) * (x @ before)
        return p / p.sum(-1, keepdim=True)


def compare() -> tuple[float, float, float]:
    """prior + posterior + approximate, ours over dense."""
    plan = schedule.Linear(100, 0.999, 0.9)
    alpha = plan.compute().float()
    alpha[0] = 1.0
    dense, ours = Dense(K, alpha), noise.Uniform(K).bind(schedule.Table(100, alpha))
    ids, t = torch.randint(0, K, (BATCH, LENGTH)), torch.full((BATCH,), 40)
    onehot = torch.nn.functional.one_hot(ids, K).float()
    hat = torch.randn(1, BATCH, LENGTH, K)

    def rank_one() -> Tensor:
        z = ours.prior(ids, t).sample()[0]
        ours.posterior(ids, z, t)
        return ours.approximate(z, t, hat).logits

    def matrices() -> Tensor:
        p = dense.prior(onehot, t)
        z = torch.nn.functional.one_hot(torch.multinomial(p.flatten(0, 1), 1), K)
        z = z.view_as(p).float()
        dense.posterior(onehot, z, t)
        return dense.posterior(hat[0].softmax(-1), z, t)

    z = torch.randint(0, K, (BATCH, LENGTH))
    exact = dense.posterior(onehot, torch.nn.functional.one_hot(z, K).float(), t)
    assert torch.allclose(ours.posterior(ids, z, t).p, exact, atol=1e-5)
    return ratio(matrices, rank_one, rounds=7, warm=1)


def vocabulary() -> float:
    """Peak memory in GiB of prior, posterior and approximate at K = 50,257, batch 8 × 256."""
    k = 50_257
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bound = noise.Uniform(k).bind(schedule.Cosine(100))
    ids, t = torch.randint(0, k, (8, 256)), torch.full((8,), 40)
    with torch.no_grad():
        z = bound.prior(ids, t).sample()[0]
        bound.posterior(ids, z, t)
        bound.approximate(z, t, torch.zeros(1, 8, 256, k)).sample()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20


def main() -> None:
    gib = vocabulary()
    print(HEAD)
    print(
        row(f"dense K × K / rank one, K = {K}, prior + posterior + approximate", compare(), "≥ 30")
    )
    print(f"| peak memory, K = 50,257, batch 8 × 256, GiB | {gib:.2f} | | ≤ 4 |")


if __name__ == "__main__":
    main()
