"""Categorical bridges against dense K×K matrix algebra in float64."""

import math

import torch
from torch import Tensor

from diffusion.noise import Absorbing, Structured
from diffusion.noise.clock import Clock
from diffusion.schedule import Linear

K = 5
TRIPLES = ((24, 13, 5), (3, 2, 1), (20, 19, 18), (24, 1, 0), (1.0, 0.37, 0.02), (0.5, 0.2, 0.0))
EYE = torch.eye(K, dtype=torch.float64)


def dense(noise, clock: Clock, s, t) -> Tensor:
    """Q[i, j] = q(x_t = j | x_s = i), written down as a matrix."""
    keep = torch.tensor(clock.kappa(t) / clock.kappa(s), dtype=torch.float64)
    if isinstance(noise, Structured):
        gap = 1 - float(torch.linalg.eigvals(noise.matrix).real.sort().values[-2])
        return poisson(noise.matrix, -float(keep.clamp_min(1e-300).log()) / gap)
    return keep * EYE + (1 - keep) * noise.law().expand(K, K)


def poisson(matrix: Tensor, time: float) -> Tensor:
    """exp(time·(P - 1)) = Σ_n Poisson(n; time) P^n, halved until the sum is short."""
    if time > 1:
        half = poisson(matrix, time / 2)
        return half @ half
    total, term = torch.zeros_like(matrix), torch.eye(len(matrix)).double() * math.exp(-time)
    for n in range(1, 40):
        total, term = total + term, term @ matrix * (time / n)
    return total


def posterior(noise, clock, x: Tensor, t, s) -> Tensor:
    """q(x_s = j | x_t = z, x) for soft x `[b, K]` and all z: `[b, z, j]`, by Bayes' rule."""
    before, hop = dense(noise, clock, 0, s), dense(noise, clock, s, t)
    joint = before.unsqueeze(2) * hop  # [x0, x_s, z]
    total = joint.sum(1, keepdim=True)
    each = torch.where(total > 0, joint / total, 0.0)  # q(x_s | z, x0)
    reachable = (total > 0).squeeze(1).double()
    weight = x.unsqueeze(2) * reachable  # p(x0 | z), as far as z allows
    weight = weight / weight.sum(1, keepdim=True)  # nan where no x leads to z
    return torch.einsum("bxz,xjz->bzj", weight, each)


def possible(noise, x: Tensor) -> Tensor:
    """Soft predictions that hold no mask."""
    if isinstance(noise, Absorbing):
        x = x.clone()
        x[..., noise.mask] = 0
    return x / x.sum(-1, keepdim=True)


def test_marginals(noise, schedule):
    bound = noise.bind(schedule)
    for t in (0, 1, 7, 24, 0.3, 1.0):
        expected = dense(noise, bound.clock, 0, t)
        torch.testing.assert_close(bound.prior(EYE, t).p, expected, rtol=1e-9, atol=1e-12)
        ids = bound.prior(torch.arange(K), t).p
        torch.testing.assert_close(ids.double(), expected, rtol=1e-5, atol=1e-6)


def test_kernels_compose(noise, schedule):
    clock = noise.bind(schedule).clock
    for t, s, _ in TRIPLES:
        whole = dense(noise, clock, 0, s) @ dense(noise, clock, s, t)
        torch.testing.assert_close(whole, dense(noise, clock, 0, t), rtol=1e-9, atol=1e-12)


def bridges(noise, bound, t, s) -> tuple[Tensor, Tensor]:
    """q(x_s = j | x_t = z, x) `[x, z, j]`, and which z can be reached from x; 0 for the others."""
    reachable = dense(noise, bound.clock, 0, t) > 0
    x, z = reachable.nonzero(as_tuple=True)
    table = torch.zeros(K, K, K, dtype=torch.float64)
    table[x, z] = bound.bridge(EYE[x], EYE[z], t, s).p
    return table, reachable


def test_bridges_of_known_tokens_are_bayes_rule(noise, schedule):
    bound = noise.bind(schedule)
    for t, s, _ in TRIPLES:
        table, reachable = bridges(noise, bound, t, s)
        expected = posterior(noise, bound.clock, EYE, t, s)
        torch.testing.assert_close(table[reachable], expected[reachable], rtol=1e-8, atol=1e-10)


def test_two_bridges_make_one(noise, schedule):
    """Σ_{x_s} q(x_r|x_s,x) q(x_s|x_t,x) = q(x_r|x_t,x)."""
    bound = noise.bind(schedule)
    for t, s, r in TRIPLES:
        first, then, whole = (bridges(noise, bound, *ends)[0] for ends in ((t, s), (s, r), (t, r)))
        through = torch.einsum("xzs,xsr->xzr", first, then)
        torch.testing.assert_close(through, whole, rtol=1e-7, atol=1e-9)


def test_steps_of_soft_predictions_are_the_exact_mixture(noise, schedule):
    """Σ_{x_0} p(x_0 | z) q(x_s | x_t, x_0), not the bridge to an average token."""
    bound = noise.bind(schedule)
    x = possible(noise, torch.rand(3, K, dtype=torch.float64) + 0.01)
    for t, s, _ in TRIPLES:
        expected = posterior(noise, bound.clock, x, t, s)
        z = expected[0].isfinite().all(1).nonzero().squeeze(1).expand(3, -1)
        soft = x.unsqueeze(1).expand(-1, z.shape[1], -1)
        p = bound.step(z, t, s, soft.log().unsqueeze(0)).p
        torch.testing.assert_close(p, expected[:, z[0]], rtol=1e-8, atol=1e-10)
        same = bound.vary(parameter="p").step(z, t, s, soft.unsqueeze(0)).p
        torch.testing.assert_close(same, p)


def test_a_step_is_the_bridge_to_the_prediction(noise):
    bound = noise.bind(Linear(24, 0.999, 0.7))
    z, hat = EYE[torch.tensor([0, 2, 3, 4])], torch.randn(1, 4, K, dtype=torch.float64)
    t, s = torch.tensor([24, 9, 2, 1]), torch.tensor([3, 8, 1, 0])
    step = bound.step(z, t, s, hat).p
    torch.testing.assert_close(step, bound.bridge(bound.predict(z, t, hat).exp(), z, t, s).p)
    torch.testing.assert_close(step, bound.approximate(z, t, hat, s).p)
    last = bound.approximate(z, t, hat)
    torch.testing.assert_close(last.p, bound.step(z, t, t - 1, hat).p)
