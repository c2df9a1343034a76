"""Consistency losses against the flow map of a mixture."""

import math

import pytest
import torch

import diffusion
from diffusion import data, loss, net, noise, sampler, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.exact import flow_map, oracle
from diffusion.parameter import ROWS

from .bed import BED, SINGLE, batch, process

QUADRATIC = 100.0  # far above any distance: the pseudo-Huber loss is the squared error


def consistency(count: int, teacher=None) -> loss.Consistency:
    return loss.Consistency(teacher, (count, count), huber=QUADRATIC)


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
def test_distilling_an_exact_teacher_leaves_the_flow_map_where_it_is(parameter):
    """DDIM's step is wrong by 1/n², so the loss, n times its square, by 1/n³."""
    of = process(parameter, path="flow")
    one = batch(of, flow_map(BED, of))
    coarse, fine = (float(consistency(count, oracle(BED, of)).compute(one)) for count in (64, 128))
    assert math.log2(coarse / fine) == pytest.approx(3, abs=0.3)
    assert math.sqrt(2 * QUADRATIC * fine / 128) < 1e-3


def slope(theta: float) -> float:
    """The gradient, along a bump, where the map is `theta` of the bump away from the exact one."""
    of, (mean, std) = process("x"), (float(SINGLE.means), 0.4)
    at = torch.tensor(theta, dtype=torch.float64, requires_grad=True)

    def moved(z, y, t):
        signal, sigma = (v.reshape(-1, 1) for v in of.clock(t))
        spread = (signal**2 * std**2 + sigma**2).sqrt()
        exact = mean + std * (z - signal * mean) / spread
        return (exact + at * t.reshape(-1, 1) * torch.exp(-(z**2)))[None]

    consistency(64).compute(batch(of, moved, 400_000, mixture=SINGLE)).backward()
    return float(at.grad)


def test_training_from_data_alone_leaves_the_flow_map_where_it_is():
    """400,000 draws leave a standard error of 1 % of the pull that brings back a wrong map."""
    assert slope(0.5) > 0
    assert abs(slope(0.0)) < 0.03 * slope(0.5)


@pytest.mark.parametrize("parameter", ROWS)
def test_at_the_end_of_the_path_are_the_data(parameter):
    """Whatever the network says at t = 0, where some rows are 0/0 or know no boundary."""
    of = process(parameter, schedule.Cosine(1000))

    def net(z, y, t):
        t0 = torch.where(t > 0, t, 0.5)
        hat = of.target(parameter, one.x, one.epsilon, t0)
        return torch.where((t > 0).reshape(-1, 1), hat, torch.nan)[None]

    one = batch(of, net, 64, torch.linspace(0.05, 0.25, 64).double())
    value = consistency(4).compute(one)
    assert float(value) < 1e-12


def test_steps_of_the_discrete_process():
    of = process("epsilon", schedule.Linear(20))
    one = batch(of, flow_map(BED, of), t=torch.arange(512) % 20 + 1)
    seen = []
    one.net = lambda z, y, t: (seen.append(t), flow_map(BED, of)(z, y, t))[1]
    assert loss.Consistency(cells=(10, 10)).compute(one).isfinite()
    torch.testing.assert_close(torch.stack(seen).min(0).values, (one.t - 2).clamp_min(0))


def test_cells_double_until_the_last():
    one = loss.Consistency(cells=(10, 1280), length=8000)
    assert [one.count(k) for k in (0, 999, 1000, 3000, 7000, 100_000)] == [
        10, 10, 20, 80, 1280, 1280,
    ]  # fmt: skip
    assert loss.Consistency(cells=(10, 15), length=2).count(1) == 15


def model(**modules) -> diffusion.Model:
    own: dict = {
        "data": data.Identity(torch.randn(16, 1), batch=8), "schedule": schedule.Flow(100),
        "noise": noise.Gaussian("velocity"), "net": net.MLP(1, hidden=8),
        "loss": loss.Consistency(), "time": time.Continuous(),
        "sampler": sampler.Consistency(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


def test_it_trains_on_its_own_and_from_a_teacher():
    torch.manual_seed(0)
    teacher = model(loss=loss.Simple(), sampler=sampler.DDIM())
    for one in (loss.Consistency(), loss.Consistency(teacher)):
        made = model(loss=one)
        before = [p.clone() for p in teacher.net.parameters()]
        values = [*made.train(2)]
        assert all(map(math.isfinite, values))
        for old, new in zip(before, teacher.net.parameters(), strict=True):
            assert torch.equal(old, new)
        assert made.sample(batch=3, steps=2, seed=0).isfinite().all()


def test_what_does_not_fit_is_refused():
    teacher = model(loss=loss.Simple())
    cases = [
        ({"noise": noise.Absorbing(5), "net": net.Transformer(5, width=8, heads=2),
          "data": data.Identity(torch.randint(0, 4, (8, 5))), "sampler": sampler.Ancestral()},
         r"Consistency is for noise.Gaussian, not Absorbing"),
        ({"loss": loss.Consistency(teacher), "schedule": schedule.Cosine(100)},
         r"noised by Flow.*the student's by Cosine"),
        ({"loss": loss.Consistency(teacher), "time": time.Discrete()},
         r"the teacher knows the times of Continuous\(\), the student those of Discrete"),
    ]  # fmt: skip
    for modules, message in cases:
        with pytest.raises(MismatchError, match=message):
            model(**modules)
    with pytest.raises(InputError, match=r"Consistency.cells: expected 1 <= first <= last"):
        loss.Consistency(cells=(20, 10))
    with pytest.raises(InputError, match=r"teacher: expected a Model, or a function"):
        loss.Consistency("runs/teacher")
