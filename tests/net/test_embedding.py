"""Times and conditions, and what is said about wrong ones."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.net import MLP
from diffusion.net.embedding import features

X, T = torch.randn(4, 3), torch.arange(4)


def test_features_are_the_formula():
    found = features(torch.tensor([0, 7, 1000]), 6)
    for row, t in zip(found, (0, 7, 1000), strict=True):
        waves = [10000 ** (-i / 3) for i in range(3)]
        expected = [math.cos(t * w) for w in waves] + [math.sin(t * w) for w in waves]
        torch.testing.assert_close(row, torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floats_are_thousandths(dtype):
    steps = torch.arange(1001)
    found = features(steps.to(dtype) / 1000, 64)
    torch.testing.assert_close(found, features(steps, 64), rtol=0, atol=2e-4)
    assert found.dtype == torch.float32


def test_neighbouring_times_can_be_told_apart():
    found = features(torch.arange(1001), 32)
    assert torch.pdist(found).min() > 0.1


@pytest.mark.parametrize("hidden", [1, 2, 7])
def test_any_width(hidden):
    assert MLP(3, hidden=hidden, depth=1)(X, None, T).shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("net", "y", "message"),
    [
        (MLP(3), torch.randn(4, 2), r"no condition y; got float32 \[4, 2\]. Vectors \[b, d\] need"),
        (MLP(3, labels=2), torch.randn(4, 2), r"labels y \[b\] in 0..2; got float32 \[4, 2\]"),
        (MLP(3, labels=2), torch.ones(3, dtype=torch.long), r"labels y \[b\] in 0..2; got int64"),
        (MLP(3, labels=2), torch.ones(4, 1, dtype=torch.long), r"labels y \[b\] in 0..2"),
        (MLP(3, labels=2), [1, 2, 1, 0], r"in 0..2 or None; got list"),
        (MLP(3, labels=2), {"a": T}, r"got dict"),
        (MLP(3, condition=2), torch.randn(4, 3), r"y \[b, 2\]; got float32 \[4, 3\]"),
        (MLP(3, condition=2), torch.randn(4), r"y \[b, 2\]; got float32 \[4\]"),
        (MLP(3, labels=1, condition=2), torch.randn(4), r"y \[b\] in 0..1 or floating conditions"),
    ],
)
def test_wrong_conditions(net, y, message):
    with pytest.raises(InputError, match=message) as caught:
        net(X, y, T)
    assert str(caught.value).startswith("MLP: expected ")


@pytest.mark.parametrize("t", [torch.tensor(3), torch.ones(3), torch.ones(4, 1)])
def test_wrong_times(t):
    with pytest.raises(InputError, match=r"MLP: expected times t \[b\], b as of x; got "):
        MLP(3)(X, None, t)


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (torch.randn(4, 2), r"float32 \[4, 2\]"),
        (torch.randn(4, 3, 1), r"float32 \[4, 3, 1\]"),
        (torch.ones(4, 3, dtype=torch.long), r"int64 \[4, 3\]"),
    ],
)
def test_wrong_states(x, shown):
    with pytest.raises(InputError, match=rf"MLP: expected floating x \[b, 3\]; got {shown}"):
        MLP(3)(x, None, T)


@pytest.mark.parametrize("name", ["size", "parameters", "hidden", "depth", "labels", "condition"])
def test_wrong_arguments(name):
    with pytest.raises(InputError, match=rf"MLP.{name}: expected .*; got -1"):
        MLP(**{"size": 3, name: -1})
