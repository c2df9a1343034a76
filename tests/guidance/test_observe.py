"""Linear inverse problems, against the exact posterior."""

import math

import pytest
import torch
from torch import Tensor

from diffusion import noise, sampler, schedule
from diffusion.errors import InputError
from diffusion.exact import LinearGaussian, Mixture
from diffusion.guidance import Blur, ClassifierFree, Mask, Observe, Pool
from diffusion.guidance.conjugate import conjugate
from diffusion.parameter import ROWS

from .bed import BED, CLOSE, Y, bound

DRAW = torch.Generator().manual_seed(1)
ROOT = 0.5 * torch.randn(4, 4, generator=DRAW).double()
WIDE = ROOT @ ROOT.T + 0.1 * torch.eye(4).double()
CENTRE = torch.tensor([[0.5, -0.3, 0.2, 0.1]]).double()
PRIOR = Mixture(torch.ones(1), CENTRE, None, WIDE[None])
A = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]).double() / 2
Z = torch.randn(5, 4, generator=DRAW, dtype=torch.float64)
SEEN = torch.tensor([1.1, -0.4]).double()
NOISE = 0.1


def seen(x: Tensor) -> Tensor:
    return x @ A.T


def problem(prior: Mixture = PRIOR, std: float = NOISE) -> Mixture:
    return LinearGaussian(A, std, prior).posterior(SEEN)


@pytest.mark.parametrize("parameter", sorted(set(ROWS) - {"score"}))
@pytest.mark.parametrize("t", [30, 0.8, torch.tensor([5, 20, 50, 80, 99])], ids=str)
def test_mmps_is_the_exact_posterior_for_a_gaussian(parameter: str, t) -> None:
    """Tweedie's covariance is exact there; two observed numbers, so two iterations solve it."""
    process = noise.Gaussian(parameter).bind(schedule.Cosine(100))
    one = Observe(seen, SEEN, NOISE, iterations=2)
    hat = one(PRIOR.oracle(process), process)(Z, torch.zeros(5).long(), t)
    expected = problem().denoise(Z, *process.clock(t))
    torch.testing.assert_close(process.predict(Z, t, hat), expected, rtol=1e-7, atol=1e-7)


def test_pigdm_is_exact_for_data_of_unit_variance() -> None:
    white = Mixture(torch.ones(1), CENTRE, 1.0)
    process = bound()
    one = Observe(seen, SEEN, NOISE, "pigdm", iterations=2)
    hat = one(white.oracle(process), process)(Z, torch.zeros(5).long(), 30)
    expected = problem(white).denoise(Z, 0.7, 0.3)
    torch.testing.assert_close(process.predict(Z, 30, hat), expected, rtol=1e-7, atol=1e-7)


def test_dps_divides_by_the_residual() -> None:
    """J = signal/(signal² + sigma²) for white data, so the score is known in closed form."""
    white = Mixture(torch.ones(1), CENTRE, 1.0)
    process = bound()
    one = Observe(seen, SEEN, NOISE, "dps", strength=0.7)
    hat = one(white.oracle(process), process)(Z, torch.zeros(5).long(), 30)
    plain = white.denoise(Z, 0.7, 0.3)
    gap = SEEN - seen(plain)
    jacobian = 0.7 / (0.7**2 + 0.3**2)
    score = 0.7 * jacobian * gap @ A * math.sqrt(2) / (NOISE * gap.norm(dim=1, keepdim=True))
    expected = plain + 0.3**2 / 0.7 * score
    torch.testing.assert_close(process.predict(Z, 30, hat), expected, **CLOSE)


def sampled(one: Observe, steps: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of what DDIM makes of pure noise, without drawing any.

    With the exact posterior score each step is affine in z, so both follow from the images of the
    origin and of the axes.
    """
    process = bound()
    times = [1 - i / steps for i in range(steps)] + [0.0]
    process.prepare(times)
    z = torch.cat([torch.zeros(1, 4), torch.eye(4)]).double()
    y = torch.zeros(5).long()
    predict = one(PRIOR.oracle(process), process)
    *_, w = sampler.DDIM()(process, predict, z, y, times, None)
    moved = w[1:] - w[0]
    return w[0], moved.T @ moved


def test_mmps_samples_the_posterior() -> None:
    mean, covariance = problem().moments()
    found, spread = sampled(Observe(seen, SEEN, NOISE, iterations=2), 100)
    assert (PRIOR.moments()[0] - mean).abs().max() > 0.5  # what the observation had to move
    assert (found - mean).abs().max() < 0.02
    assert (spread - covariance).abs().max() < 0.02


def test_the_error_of_sampling_vanishes_with_the_steps() -> None:
    mean, covariance = problem().moments()
    errors = []
    for steps in (50, 200):
        found, spread = sampled(Observe(seen, SEEN, NOISE, iterations=2), steps)
        errors.append(float((spread - covariance).abs().max() + (found - mean).abs().max()))
    assert errors[1] < errors[0] / 3  # of first order, as DDIM is: a quarter


def test_observations_of_each_sample_and_copies_of_the_batch() -> None:
    """One for all, one for each, and under classifier-free guidance, which doubles the batch."""
    process = bound()
    predict = BED.oracle(process)
    z = torch.randn(6, 2, generator=DRAW, dtype=torch.float64)
    pick = Mask(torch.tensor([True, False]))
    y = torch.linspace(-1, 1, 6).double().unsqueeze(1)
    each = Observe(pick, y)(predict, process)(z, Y, 40)
    for i in range(6):
        alone = Observe(pick, y[i])(predict, process)(z[i : i + 1], Y[i : i + 1], 40)
        torch.testing.assert_close(alone, each[:, i : i + 1], **CLOSE)
    left = (Observe(pick, y) | ClassifierFree(strength=1.0))(predict, process)(z, Y, 40)
    null = Observe(pick, y)(predict, process)(z, torch.zeros_like(Y), 40)
    torch.testing.assert_close(left, 2 * each - null, **CLOSE)


def test_fewer_observations_than_samples_are_not_repeated_silently() -> None:
    """Two of four samples: only copies, which guidance to the right asks about, share one."""
    process = bound()
    predict, pick = BED.oracle(process), Mask(torch.tensor([True, False]))
    z = torch.randn(4, 2, generator=DRAW, dtype=torch.float64)
    guided = Observe(pick, torch.ones(2, 1))(predict, process)
    with pytest.raises(InputError, match=r"Observe.y: .*for one or for each of 4 samples; got \[2"):
        guided(z, Y[:4], 40)
    guided(torch.cat([z[:2], z[:2]]), Y[:4], 40)
    few = torch.ones(3, 1)
    with pytest.raises(InputError, match=r"for each of 4 samples; got \[3, 1\]"):
        Observe(pick, few)(predict, process)(z, Y[:4], 40)


def test_gradients_pass_through_if_they_are_asked_for() -> None:
    process, step = bound(), 1e-6
    guided = Observe(seen, SEEN, NOISE, iterations=2)(PRIOR.oracle(process), process)
    y, way = torch.zeros(5).long(), torch.randn(5, 4, generator=DRAW, dtype=torch.float64)
    z = Z.clone().requires_grad_()
    (slope,) = torch.autograd.grad((guided(z, y, 30) * way).sum(), z)
    ahead, behind = (guided(Z + s * way, y, 30) for s in (step, -step))
    difference = float(((ahead - behind) / (2 * step) * way).sum())
    assert float((slope * way).sum()) == pytest.approx(difference, rel=1e-5)
    with torch.no_grad():
        assert not guided(Z, y, 30).requires_grad


def test_conjugate_gradients_solve_each_system_of_a_batch() -> None:
    root = torch.randn(3, 5, 5, generator=DRAW, dtype=torch.float64)
    matrix = root @ root.mT + torch.eye(5).double()
    b = torch.randn(3, 5, generator=DRAW, dtype=torch.float64)
    b[1] = 0.0
    u = conjugate(lambda v: (matrix @ v.unsqueeze(2)).squeeze(2), b, 8)
    torch.testing.assert_close((matrix @ u.unsqueeze(2)).squeeze(2), b, rtol=1e-8, atol=1e-8)
    broken = conjugate(lambda v: -v, b, 4)  # no positive curvature: nothing is moved
    torch.testing.assert_close(broken, torch.zeros_like(b))


def test_operators_are_linear_and_what_they_say() -> None:
    x = torch.randn(2, 3, 4, 6, generator=DRAW, dtype=torch.float64)
    torch.testing.assert_close(Pool(2)(x)[:, :, 0, 0], x[:, :, :2, :2].mean((2, 3)))
    mask = torch.rand(3, 4, 6, generator=DRAW) < 0.5
    torch.testing.assert_close(Mask(mask)(x), x[:, mask])
    kernel = torch.rand(3, 3, generator=DRAW).double()
    spectrum = torch.zeros(4, 6).double()
    for i in range(3):
        for j in range(3):
            spectrum[1 - i, 1 - j] = kernel[i, j]  # at offset (0, 0) in the middle
    by_fft = torch.fft.ifft2(torch.fft.fft2(x) * torch.fft.fft2(spectrum)).real
    torch.testing.assert_close(Blur(kernel)(x), by_fft)
    flat = torch.ones(1, 1, 8, 8)
    for edges in ("circular", "reflect"):
        torch.testing.assert_close(Blur.gaussian(0.7, edges=edges)(flat), flat)
    assert Blur.gaussian(0.7, edges="zeros")(flat)[0, 0, 0, 0] < 0.7
    line = torch.randn(2, 1, 9, generator=DRAW)
    assert Blur.gaussian(1.0, axes=1)(line).shape == line.shape


def test_wrong_arguments_are_errors() -> None:
    process = bound()
    with pytest.raises(InputError, match=r"Observe.y: expected what the operator makes.*\[2\]"):
        Observe(seen, torch.ones(3))(PRIOR.oracle(process), process)(Z, None, 30)
    with pytest.raises(InputError, match=r"Observe.method.*Did you mean 'pigdm'"):
        Observe(seen, SEEN, method="pgdm")
    with pytest.raises(InputError, match=r"Observe.noise: expected a standard deviation > 0"):
        Observe(seen, SEEN, 0.0)
    with pytest.raises(InputError, match=r"Pool.factor: expected .* divisible by 4"):
        Pool(4)(torch.ones(1, 1, 6, 6))
    with pytest.raises(InputError, match=r"Blur.kernel: expected 1 to 3 axes of odd length"):
        Blur(torch.ones(2, 2))
    with pytest.raises(InputError, match=r"Mask.mask: expected the shape of a state"):
        Mask(torch.tensor([True, False]))(torch.ones(1, 3))
