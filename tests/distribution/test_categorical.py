"""`Categorical` against torch.distributions and its own samples."""

import math

import pytest
import torch
from torch.distributions import Categorical as Reference
from torch.distributions import kl_divergence

from diffusion.distribution import Categorical
from diffusion.rng import samples

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nll_and_dkl_are_torchs(dtype):
    one, two = (torch.randn(4, 3, 6).to(dtype) for _ in range(2))
    x = torch.randint(6, (4, 3))
    first, second = Reference(logits=one.double()), Reference(logits=two.double())
    close = (
        {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-6}
    )
    a, b = Categorical(one), Categorical(two)
    torch.testing.assert_close(a.nll(x).double(), -first.log_prob(x), **close)
    torch.testing.assert_close(a.dkl(b).double(), kl_divergence(first, second), **close)
    assert a.nll(x).dtype == dtype


def test_ids_and_onehots_agree():
    logits, other, x = torch.randn(4, 3, 6), torch.randn(4, 3, 6), torch.randint(6, (4, 3))
    ids, hot = Categorical(logits), Categorical(logits, onehot=True)
    vectors = torch.nn.functional.one_hot(x, 6).float()
    assert hot.nll(vectors).shape == (4, 3, 1)
    torch.testing.assert_close(hot.nll(vectors).squeeze(-1), ids.nll(x))
    gap = hot.dkl(Categorical(other, onehot=True))
    assert gap.shape == (4, 3, 1)
    torch.testing.assert_close(gap.squeeze(-1), ids.dkl(Categorical(other)))
    one, _ = ids.sample(samples(1, 4))
    two, _ = hot.sample(samples(1, 4))
    assert torch.equal(two.argmax(-1), one)
    assert torch.equal(two.sum(-1), torch.ones(4, 3))


def test_impossible_classes_cost_nothing_and_are_never_drawn():
    p = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0])
    law = Categorical.of(p.expand(20_000, 5))
    drawn, _ = law.sample()
    assert drawn.unique().tolist() == [1, 3]
    assert float((drawn == 1).double().mean()) == pytest.approx(0.5, abs=0.02)
    assert float(Categorical.of(p).dkl(Categorical.of(p))) == pytest.approx(0.0, abs=1e-7)
    wider = Categorical.of(torch.full((5,), 0.2))
    assert float(Categorical.of(p).dkl(wider)) == pytest.approx(float(torch.tensor(2.5).log()))
    assert Categorical.of(p).nll(torch.tensor(0)) == torch.inf
    assert wider.dkl(Categorical.of(p)) == torch.inf
    vector = torch.nn.functional.one_hot(torch.tensor(1), 5).float()
    assert Categorical.of(p, onehot=True).nll(vector).isfinite()


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_uniforms_never_reach_an_impossible_class(dtype, monkeypatch):
    """u = 0 and u next to 1, the ends of the inverse distribution function."""
    p = torch.tensor([0.0, 0.3, 0.0, 0.7, 0.0, 0.0], dtype=dtype)
    for end, expected in ((0.0, 1), (1 - 2**-53, 3), (1.0, 3)):

        def fixed(like, rng, end=end):
            return torch.full(like.shape, end, dtype=torch.float64)

        monkeypatch.setattr("diffusion.distribution.categorical.uniform", fixed)
        drawn, _ = Categorical.of(p.expand(3, 6)).sample()
        assert drawn.tolist() == [expected] * 3


def test_frequencies_follow_the_probabilities():
    logits = torch.randn(7)
    drawn, noise = Categorical(logits.expand(100_000, 7)).sample(torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=7) / 100_000
    torch.testing.assert_close(counts, logits.softmax(0), rtol=0, atol=0.006)
    assert noise is None


def test_rare_classes_of_a_large_vocabulary_are_drawn_in_float32():
    """One class holds all but 1e-4 of the mass; the others share it among 50,000."""
    logits = torch.full((50_001,), -20.0)
    logits[7] = math.log(50_000 * math.exp(-20.0) * 9_999)
    drawn, _ = Categorical(logits.expand(100, -1)).sample(torch.Generator().manual_seed(0))
    assert 0 <= int((drawn != 7).sum()) < 5
    flat, _ = Categorical(torch.zeros(1, 50_001).expand(60, -1)).sample()
    assert flat.unique().numel() > 57


def test_a_sample_depends_on_its_own_seed_only():
    logits = torch.randn(5, 9, 4)
    many, _ = Categorical(logits).sample(samples(3, 5))
    few, _ = Categorical(logits[:2]).sample(samples(3, 2))
    assert torch.equal(many[:2], few)
    double, _ = Categorical(logits.double()).sample(samples(3, 5))
    assert (many == double).float().mean() > 0.99


def test_gradients_are_finite_with_impossible_classes():
    logits = torch.tensor(
        [[0.3, -torch.inf, 1.0], [-torch.inf, 0.0, -torch.inf]], requires_grad=True
    )
    target = Categorical(torch.tensor([[0.0, -torch.inf, 0.0], [-torch.inf, 0.0, -torch.inf]]))
    for value in (
        Categorical(logits).nll(torch.tensor([0, 1])).sum(),
        target.dkl(Categorical(logits)).sum(),
        Categorical(logits).dkl(Categorical(torch.zeros(2, 3))).sum(),
    ):
        (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
        assert gradient.isfinite().all()
