"""Categorical states: ids and one-hot vectors, times, the ends of the process, and faults."""

import pytest
import torch

from diffusion.errors import InputError
from diffusion.noise import Absorbing, Mixed, Structured, Uniform
from diffusion.schedule import Flow, Linear

K = 5
EYE = torch.eye(K, dtype=torch.float64)


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
