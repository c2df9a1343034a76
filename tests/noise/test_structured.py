"""Structured noise: any transition matrix, exact to its smallest probabilities."""

import math

import pytest
import torch
from torch import Tensor

from diffusion.noise import Mixed, Structured
from diffusion.schedule import Flow, Linear

K = 5
EYE = torch.eye(K, dtype=torch.float64)


def poisson(matrix: Tensor, time: float) -> Tensor:
    """exp(time·(P - 1)) = Σ_n Poisson(n; time) P^n, halved until the sum is short."""
    if time > 1:
        half = poisson(matrix, time / 2)
        return half @ half
    total, term = torch.zeros_like(matrix), torch.eye(len(matrix)).double() * math.exp(-time)
    for n in range(1, 40):
        total, term = total + term, term @ matrix * (time / n)
    return total


def test_structured_of_a_rank_one_matrix_is_mixed():
    pi = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25], dtype=torch.float64)
    one, two = (n.bind(Flow(20)) for n in (Structured(pi.expand(K, K)), Mixed(pi)))
    hat, z = torch.randn(1, K, K, dtype=torch.float64), torch.arange(K)
    torch.testing.assert_close(one.law(), pi)
    for t, s in ((20, 3), (2, 1), (1, 0)):
        torch.testing.assert_close(one.prior(EYE, t).p, two.prior(EYE, t).p)
        torch.testing.assert_close(one.step(z, t, s, hat).p, two.step(z, t, s, hat).p)


def test_structured_takes_matrices_without_a_basis_of_eigenvectors():
    """A defective matrix 1·piᵀ + u·vᵀ with v·u = v·1 = 0: its second eigenvalue has one vector."""
    u, v = torch.tensor([0.1, 0.1, -0.2]).double(), torch.tensor([1.0, -1.0, 0.0]).double()
    noise = Structured(torch.full((3, 3), 1 / 3).double() + u.outer(v))
    bound = noise.bind(Flow(20))
    for t in (1, 10, 20):
        kappa = torch.tensor(bound.clock.kappa(t)).double().clamp_min(1e-300)
        expected = torch.linalg.matrix_exp(-kappa.log() * (noise.matrix - torch.eye(3)))
        found = bound.prior(torch.eye(3).double(), t).p
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(noise.law() @ noise.matrix, noise.law())


@pytest.mark.parametrize("k", [8, 64])
def test_structured_ends_in_its_stationary_law_however_slowly_it_mixes(k):
    noise = Structured.banded(k).bind(Flow(100))
    last = noise.prior(torch.eye(k).double(), 100).p
    torch.testing.assert_close(last, noise.law().expand(k, k), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("t", "s"), [(5, 4), (50, 49), (200, 199), (200, 100), (1, 0)])
def test_structured_steps_are_exact_where_classes_are_out_of_reach(t, s):
    """A soft prediction gives mass to classes that z is hundreds of jumps away from."""
    noise, k = Structured.banded(40), 40
    bound = noise.bind(Linear(1000, 0.9999, 0.98))
    gap = 1 - float(torch.linalg.eigvals(noise.matrix).real.sort().values[-2])
    after, before = (-math.log(bound.clock.kappa(v)) / gap if v else 0.0 for v in (t, s))
    x = torch.where((torch.arange(k) - 7).abs() < 10, 1.0, 1e-7).double()
    x = x / x.sum()
    to_s, hop = poisson(noise.matrix, before), poisson(noise.matrix, after - before)[:, 7]
    into = to_s @ hop
    reached = into > 1e-100
    each = (to_s * hop)[reached] / into[reached].unsqueeze(1)
    expected = (x[reached] @ each) / x[reached].sum()
    p = bound.step(torch.tensor([7]), t, s, x.log().reshape(1, 1, k)).p[0]
    assert float((p - expected).abs().sum()) < 1e-5
