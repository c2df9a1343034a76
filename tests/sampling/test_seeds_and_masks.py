"""What a sample depends on: its seed, where its noise starts, and which positions are held."""

import numpy as np
import pytest
import torch
from torch import Tensor

import diffusion
from diffusion import data, grid, net, noise, sampler, schedule, time
from diffusion.base import Net
from diffusion.errors import InputError
from diffusion.exact import Mixture

from .oracle import model


def test_a_seed_is_a_number_whatever_library_it_is_from() -> None:
    one = model()
    plain = one.sample(batch=3, steps=2, seed=3)
    for seed in (np.int64(3), torch.tensor(3), np.array(3)):
        assert torch.equal(one.sample(batch=3, steps=2, seed=seed), plain)


def test_each_sample_can_have_a_seed_of_its_own() -> None:
    one = model(sampler=sampler.SDE())
    seeds = [7, 3, 11]
    rows = one.sample(batch=3, steps=4, seed=seeds)
    for row, seed in zip(rows, seeds, strict=True):
        alone = one.sample(batch=1, steps=4, seed=seed)[0]
        torch.testing.assert_close(row, alone, rtol=1e-12, atol=1e-12)
    for other in (np.array(seeds), torch.tensor(seeds)):
        assert torch.equal(one.sample(batch=3, steps=4, seed=other), rows)


def test_a_generator_gives_a_seed_and_goes_on() -> None:
    draws = torch.Generator().manual_seed(5)
    first, second = (model().sample(batch=3, steps=2, seed=draws) for _ in range(2))
    again = model().sample(batch=3, steps=2, seed=torch.Generator().manual_seed(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_times_may_be_an_array() -> None:
    times = [1.0, 0.6, 0.2, 0.0]
    listed = model().sample(batch=3, steps=times, seed=0)
    for array in (np.array(times), torch.tensor(times, dtype=torch.float64)):
        assert torch.equal(model().sample(batch=3, steps=array, seed=0), listed)


UNIT = Mixture(torch.tensor([0.5, 0.5]), torch.tensor([[-0.8], [0.8]]), 0.6)


class Exact(Net):
    """The exact network of a mixture of unit variance, for any process."""

    def __init__(self, process: noise.Gaussian) -> None:
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.process = process

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown = self.process.inputs(torch.ones_like(x), t.double())  # states of large variance
        return UNIT.oracle(self.process)(x / shown, None, t.double())


@pytest.mark.parametrize(
    ("plan", "parameter", "steps"),
    [
        (schedule.Karras(1000), "F", grid.Karras(20, high=5.0)),
        (schedule.Geometric(1000), "x", grid.Uniform(20, "log_snr", low=0.01, high=5.0)),
        (schedule.Flow(1000), "velocity", [0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0]),
    ],
    ids=["edm", "ve", "flow"],
)
def test_a_grid_that_starts_early_starts_with_less_noise(
    plan: schedule.Flow, parameter: str, steps: object
) -> None:
    """Data of unit variance: the first state has the variance of its time, the last is the data."""
    one = noise.Gaussian(parameter)
    made = diffusion.Model(
        data.Identity(torch.zeros(4, 1).double(), batch=4), plan, one, Exact(one.bind(plan)),
        time=time.Continuous(), sampler=sampler.Adams(),
    )  # fmt: skip
    states = [*made.stream(batch=4000, steps=steps, seed=0)]
    first = steps[0] if isinstance(steps, list) else steps.times(made.bind().clock, True)[0]
    signal, sigma = made.bind().clock(first)
    # 4,000 draws: the deviation is known to 1.1 %; four of that.
    assert float(states[0].std()) == pytest.approx((signal**2 + sigma**2) ** 0.5, rel=0.045)
    # The law of a state with the right moments is not yet the marginal: 3 % at sigma/signal = 2.3.
    assert float(states[-1].std()) == pytest.approx(1.0, rel=0.08)


class Says(Net):
    """Logits of a constant."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = torch.nn.Parameter(torch.tensor(value))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return torch.zeros(1, *x.shape, 5) + self.value


def tokens(value: float = 0.0, absorbing: bool = False) -> diffusion.Model:
    kind = noise.Absorbing(5) if absorbing else noise.Uniform(5)
    w = torch.randint(0, 4, (8, 12))
    return diffusion.Model(data.Identity(w, batch=4), schedule.Cosine(20), kind, Says(value))


@pytest.mark.parametrize("steps", [1, 4])
def test_a_network_of_tokens_that_says_nan_is_found(steps: int) -> None:
    with pytest.raises(InputError, match="3 of 3 samples are NaN"):
        tokens(float("nan")).sample(batch=3, steps=steps, seed=0)


@pytest.mark.parametrize("batch", [1, 3, 12])
def test_a_mask_of_an_item_is_that_whatever_the_batch(batch: int) -> None:
    one = tokens(absorbing=True)
    known = torch.randint(0, 4, (batch, 12))
    prefix = torch.arange(12) < 5
    found = one.sample(known=known, mask=prefix, steps=6, seed=0)
    assert torch.equal(found[:, :5], known[:, :5])
    if batch > 1:
        assert not torch.equal(found[:, 5:], known[:, 5:])
    whole = one.sample(known=known, mask=prefix.expand(batch, 12), steps=6, seed=0)
    assert torch.equal(found, whole)


def test_known_items_may_be_arrays_and_a_mask_may_skip_channels() -> None:
    pictures = torch.rand(4, 3, 8, 8)
    one = diffusion.Model(
        data.Identity(pictures, batch=4), schedule.Flow(100), noise.Gaussian("velocity"),
        net.UNet((3, 8, 8)), time=time.Continuous(),
    )  # fmt: skip
    upper = (torch.arange(8) < 4).unsqueeze(1).expand(8, 8)
    found = one.sample(known=pictures.numpy(), mask=upper.numpy(), steps=3, seed=0)
    assert torch.equal(found[:, :, :4], pictures[:, :, :4])
    assert not torch.equal(found[:, :, 4:], pictures[:, :, 4:])


def test_a_mask_of_one_hot_items_is_of_the_ids() -> None:
    w = torch.randint(0, 4, (8, 6))
    one = diffusion.Model(
        data.OneHot(w, k=5, batch=4), schedule.Cosine(20), noise.Absorbing(5),
        net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    found = one.sample(known=w[:5], mask=torch.arange(6) < 3, steps=4, seed=0)
    assert torch.equal(found[:, :3], w[:5, :3])
