"""The Fréchet distance against closed forms, its symmetries, and its bias."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.metric import between, frechet


def _law(seed: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, dtype=torch.float64, generator=draw)
    return torch.randn(d, dtype=torch.float64, generator=draw), root @ root.T / d


def _items(seed: int, n: int, d: int) -> torch.Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_one_dimension_is_means_and_deviations():
    a, b = (
        (torch.tensor([1.0]), torch.tensor([[4.0]])),
        (torch.tensor([-2.0]), torch.tensor([[9.0]])),
    )
    assert between(*a, *b) == pytest.approx(3**2 + (2 - 3) ** 2, rel=1e-12)


def test_commuting_covariances_are_squared_differences_of_deviations():
    mean, cov = _law(0, 6)
    _, axes = torch.linalg.eigh(cov)
    p, q = torch.arange(1.0, 7).double(), torch.arange(6.0, 0, -1).double()
    distance = between(
        mean, axes @ torch.diag(p**2) @ axes.T, mean, axes @ torch.diag(q**2) @ axes.T
    )
    assert distance == pytest.approx(float((p - q).square().sum()), rel=1e-10)


def test_two_dimensions_by_determinant():
    # tr (AB)^½ of 2×2 matrices is sqrt(tr AB + 2 sqrt(det AB)), for any two covariances.
    (m, a), (n, b) = _law(1, 2), _law(2, 2)
    product = a @ b
    overlap = math.sqrt(float(product.trace() + 2 * product.det().sqrt()))
    expected = float((m - n).square().sum() + a.trace() + b.trace()) - 2 * overlap
    assert between(m, a, n, b) == pytest.approx(expected, rel=1e-10)


def test_singular_covariances():
    line = torch.diag(torch.tensor([1.0, 0.0]))
    other = torch.diag(torch.tensor([0.0, 4.0]))
    zero = torch.zeros(2)
    assert between(zero, line, zero, other) == pytest.approx(5.0)
    assert between(zero, line, zero, line) == pytest.approx(0.0, abs=1e-12)


def test_fitted_to_items_it_is_exact_for_affine_maps():
    # b = 3a + 1 has covariance 9A, which commutes with A: d² = |shift of means|² + (3 - 1)² tr A.
    a = _items(3, 500, 5)
    b = 3 * a + 1
    expected = (b.mean(0) - a.mean(0)).square().sum() + 4 * torch.cov(a.T).trace()
    assert frechet(a, b) == pytest.approx(float(expected), rel=1e-9)


def test_symmetric_zero_on_itself_and_unchanged_by_rotation():
    a, b = _items(4, 300, 8), 0.5 * _items(5, 400, 8) + 1
    rotation, _ = torch.linalg.qr(_items(6, 8, 8))
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)
    assert frechet(a @ rotation, b @ rotation) == pytest.approx(frechet(a, b), rel=1e-9)


@pytest.mark.parametrize("n", [200, 1600])
def test_bias_is_as_documented(n: int):
    d, rounds = 8, 40
    scales = torch.linspace(0.5, 3, d).double()
    values = [
        frechet(_items(2 * i, n, d) * scales, _items(2 * i + 1, n, d) * scales)
        for i in range(rounds)
    ]
    law = scales**2
    pairs = law[:, None] * law / (law[:, None] + law) * (1 + torch.eye(d))
    expected = float(2 * law.sum() + pairs.sum()) / n
    assert sum(values) / rounds == pytest.approx(expected, rel=0.1)


def test_needs_more_items_than_dimensions():
    with pytest.raises(InputError, match=r"frechet\.b: expected more items than the 8 dimensions"):
        frechet(_items(0, 20, 8), _items(1, 8, 8))


def test_features_must_agree_and_be_finite():
    with pytest.raises(InputError, match="a has 8 features, b has 6"):
        frechet(_items(0, 20, 8), _items(1, 20, 6))
    broken = _items(0, 20, 4)
    broken[3, 1] = torch.nan
    with pytest.raises(InputError, match="NaN"):
        frechet(broken, _items(1, 20, 4))
    with pytest.raises(InputError, match=r"features \[n, d\]"):
        frechet(torch.zeros(3), torch.zeros(3))
