"""Categorical bridges against dense K×K matrix algebra in float64."""

import math

import pytest
import torch
from torch import Tensor

from diffusion.errors import InputError
from diffusion.noise import Absorbing, Mixed, Structured, Uniform
from diffusion.noise.clock import Clock
from diffusion.schedule import Flow, Linear

K = 5
PI = torch.tensor([0.1, 0.0, 0.3, 0.2, 0.4], dtype=torch.float64)
SKEWED = torch.tensor(
    [
        [0.5, 0.3, 0.2, 0.0, 0.0],
        [0.1, 0.6, 0.1, 0.2, 0.0],
        [0.0, 0.3, 0.4, 0.3, 0.0],
        [0.0, 0.0, 0.2, 0.5, 0.3],
        [0.4, 0.0, 0.0, 0.3, 0.3],
    ],
    dtype=torch.float64,
)
NOISES = [
    Uniform(K), Absorbing(K), Absorbing(K, 1), Mixed(PI), Structured(SKEWED),
    Structured.banded(K), Structured.gaussian(K, 1.5),
]  # fmt: skip
IDS = [f"{type(n).__name__}{i}" for i, n in enumerate(NOISES)]
TRIPLES = ((24, 13, 5), (3, 2, 1), (20, 19, 18), (24, 1, 0), (1.0, 0.37, 0.02), (0.5, 0.2, 0.0))
EYE = torch.eye(K, dtype=torch.float64)


@pytest.fixture(params=NOISES, ids=IDS)
def noise(request):
    return request.param


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


def test_ids_and_onehots_are_the_same_process(noise):
    bound = noise.bind(Linear(24, 0.999, 0.7))
    x = torch.tensor([[0, 2, 4], [2, 3, 0]])
    if isinstance(noise, Absorbing):
        x = x.masked_fill(x == noise.mask, (noise.mask + 2) % K)
    t, s = torch.tensor([20, 7]), torch.tensor([9, 0])
    hot, hat = EYE[x].float(), torch.randn(1, 2, 3, K)
    z = bound.prior(x, t).sample()[0]
    pairs = (
        (bound.prior(x, t), bound.prior(hot, t)),
        (bound.bridge(x, z, t, s), bound.bridge(hot, EYE[z].float(), t, s)),
        (bound.step(z, t, s, hat), bound.step(EYE[z].float(), t, s, hat)),
    )
    for ids, onehot in pairs:
        assert (ids.onehot, onehot.onehot) == (False, True)
        assert ids.p.shape == (2, 3, K)
        torch.testing.assert_close(ids.p, onehot.p)
        assert ids.sample()[0].shape == (2, 3)
        assert onehot.sample()[0].shape == (2, 3, K)
    for like, shape in ((x, (2, 3)), (hot, (2, 3, K))):
        start = noise.bind(Linear(24, 0.999, 0.7), like=like).stationary(shape)
        assert start.p.shape == (2, 3, K)
        assert start.sample()[0].shape == shape


def test_host_numbers_and_tensors_step_alike(noise):
    bound = noise.bind(Linear(24, 0.999, 0.7))
    z, hat = torch.tensor([[0, 2], [3, 4]]), torch.randn(1, 2, 2, K)
    for t, s in ((24, 7), (2, 0), (0.5, 0.25)):
        times = (torch.full((2,), v) for v in (t, s))
        one, two = bound.step(z, t, s, hat), bound.step(z, *times, hat)
        torch.testing.assert_close(one.p, two.p, rtol=1e-4, atol=1e-6)


def test_at_time_zero_a_sure_prediction_is_the_data(noise, schedule):
    bound = noise.bind(schedule)
    x = (
        torch.tensor([0, 2, 4, 3])
        if not isinstance(noise, Absorbing)
        else torch.tensor([0, 2, 3, 0])
    )
    hat = torch.full((1, 4, K), -torch.inf).scatter(-1, x[None, :, None], 0.0)
    for t in (1, 7, 24, 0.5):
        z = bound.prior(x, t).sample()[0]
        p = bound.step(z, t, 0, hat)
        torch.testing.assert_close(p.p, EYE[x].float())
        assert torch.equal(p.sample()[0], x)


def test_likelihoods_and_gradients_are_finite(noise, schedule):
    bound = noise.bind(schedule, soft=True)
    x = torch.tensor([[0, 2], [2, 3], [3, 0], [0, 0]])
    for t in (torch.tensor([1, 2, 23, 24]), torch.tensor([1e-3, 0.02, 0.5, 1.0])):
        z = bound.prior(x, t).sample()[0]
        hat = (3 * torch.randn(1, 4, 2, K)).requires_grad_()
        q, p = bound.posterior(x, z, t), bound.approximate(z, t, hat)
        nats = q.dkl(p)
        assert nats.isfinite().all()
        assert (nats > -1e-5).all()
        (gradient,) = torch.autograd.grad(nats.sum(), hat)
        assert gradient.isfinite().all()
        top = bound.prior(x, torch.full((4,), 24)).dkl(bound.stationary((4, 2)))
        assert top.isfinite().all()


@pytest.mark.parametrize("m", [-1, 2])
def test_absorbed_tokens_turn_over_once(m):
    """Unmasked tokens never change, masks only go away, and none is left at t = 0."""
    noise = Absorbing(K, m)
    bound = noise.bind(Flow(50))
    z = bound.stationary((64, 16)).sample()[0]
    assert (z == noise.mask).all()
    for t in range(50, 0, -1):
        before, hat = z, torch.randn(1, 64, 16, K)
        z = bound.step(z, t, t - 1, hat).sample()[0]
        assert ((z == before) | (before == noise.mask)).all()
        shown = before != noise.mask
        assert torch.equal(z[shown], before[shown])
        left = (z == noise.mask).float().mean()
        assert float(left) == pytest.approx(1 - bound.clock.kappa(t - 1), abs=0.12)
    assert (z != noise.mask).all()


def test_small_steps_keep_their_digits_in_float32():
    """1 - kappa of a long schedule is below the resolution of float32 around kappa."""
    noise = Uniform(K).bind(Linear(100_000, 1 - 1e-7, 1 - 2e-4))
    ids, hat = torch.tensor([0, 1, 2]), torch.randn(1, 3, K)
    for t in (1, 2, 50):
        single = noise.step(ids, t, t - 1, hat).p
        exact = noise.step(ids, t, t - 1, hat.double()).p
        torch.testing.assert_close(single.double(), exact, rtol=2e-5, atol=0)
        torch.testing.assert_close(
            noise.prior(ids, t).p.double(), noise.prior(EYE[ids], t).p, rtol=2e-5, atol=0
        )


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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Uniform(1), "Uniform.k: expected at least 2 classes; got 1"),
        (lambda: Absorbing(4, 4), r"Absorbing.m: expected an id in \[-4, 4\); got 4"),
        (lambda: Mixed(torch.tensor([0.5, 0.6])), "Mixed.pi: expected a sum of 1"),
        (lambda: Mixed(torch.tensor([1.5, -0.5])), "Mixed.pi: expected probabilities >= 0"),
        (lambda: Mixed(torch.ones(2, 2) / 4), "Mixed.pi: expected a vector"),
        (lambda: Uniform(4, parameter="probs"), "Uniform.parameter: expected one of logits, p"),
        (lambda: Structured(torch.ones(2, 3)), "Structured.matrix: expected a square matrix"),
        (lambda: Structured(torch.ones(2, 2)), "Structured.matrix: expected rows that sum to 1"),
        (lambda: Structured(torch.eye(3)), "Structured.matrix: .*reaches every other"),
        (lambda: Uniform(4).prior(torch.zeros(2, dtype=torch.long), 1), "not bound to a schedule"),
        (lambda: Uniform(4).bind(Flow(9)).prior(torch.zeros(2, 3), 1), "last axis 4"),
    ],
)
def test_faults_are_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
