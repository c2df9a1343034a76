"""Single-step methods against flow maps known in closed form."""

import math

import pytest
import torch

import diffusion
from diffusion import data, net, noise, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.sampler import RES2S, RES3S, RK4, DPMSolverPP2S, Euler, Heun, Midpoint, RungeKutta
from diffusion.sampler.tableau import TABLEAUX

from .line import BED, Y, Z, error, flow


@pytest.mark.parametrize(
    ("one", "theory"),
    [
        (RungeKutta("euler"), 1), (RungeKutta("midpoint"), 2), (RungeKutta("heun"), 2),
        (RungeKutta("res_2s"), 2), (RungeKutta("res_3s"), 3), (RK4(), 4), (Heun(), 2),
        (DPMSolverPP2S(), 2), (RES2S(), 2), (RES3S(), 3), (RungeKutta("rk4", "F", "angle"), 4),
        (Midpoint(), 2),
    ],
    ids=repr,
)  # fmt: skip
def test_order_of_convergence(one: RungeKutta, theory: int) -> None:
    """The tableau's: all conditions of its order hold, and one of the next does not."""
    assert math.log2(error(one, 96) / error(one, 192)) == pytest.approx(theory, abs=0.3)
    assert TABLEAUX[one.tableau].order == theory


def test_euler_is_euler() -> None:
    one = RungeKutta("euler", "epsilon", "sigma")
    torch.testing.assert_close(flow(one, 10), flow(Euler(), 10), rtol=1e-12, atol=1e-12)


def test_a_step_of_heun_by_hand() -> None:
    """Karras et al. 2022, algorithm 1, in z/signal and r = sigma/signal."""
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    predict = BED.oracle(process)

    def slope(w, t):
        signal, _ = process.clock(t)
        return process.predict_epsilon(w * signal, t, predict(w * signal, Y, t))

    t, s = 0.7, 0.5
    (signal, sigma), (signal_s, sigma_s) = process.clock(t), process.clock(s)
    h, w = sigma_s / signal_s - sigma / signal, Z / signal
    first = slope(w, t)
    expected = w + h * (first + slope(w + h * first, s)) / 2
    (found,) = Heun()(process, predict, Z, Y, [t, s], None)
    torch.testing.assert_close(found, expected * signal_s, rtol=1e-10, atol=1e-10)


def test_it_ends_at_the_data_with_a_step_of_euler() -> None:
    """The network is never asked about t = 0; interior stages are."""
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    for one, calls in ((Heun(), 3), (RungeKutta("res_3s"), 6), (RES3S(), 4)):
        asked = []

        def predict(z, y, t, asked=asked):
            asked.append(t)
            return BED.oracle(process)(z, y, t)

        *_, last = one(process, predict, Z, Y, [0.9, 0.4, 0.0], None)
        assert len(asked) == calls
        assert min(asked) > 0
        assert last.isfinite().all()


def test_integer_times_use_the_nearest_step() -> None:
    model = diffusion.Model(
        data.Identity(torch.randn(16, 3), batch=8), schedule.Linear(100),
        noise.Gaussian("epsilon"), net.MLP(3),
    )  # fmt: skip
    asked: list[int] = []
    model.net.register_forward_pre_hook(lambda _, args: asked.extend(args[2].tolist()))
    w = model.sample(batch=1, steps=[100, 50, 49, 0], sampler=DPMSolverPP2S(), seed=0)
    assert w.isfinite().all()
    # A stage between 100 and 50; none between 50 and 49, nor before the data.
    assert len(asked) == 4
    assert asked[0] == 100
    assert 50 < asked[1] < 100
    assert asked[2:] == [50, 49]


def test_churn_keeps_the_law() -> None:
    """More noise in the steps, and still samples of the mixture: mean and spread within 4 standard
    errors of 4,000 draws, and a bias of 1e-2 for 40 steps."""
    process = noise.Gaussian("velocity").bind(schedule.Flow(1000))
    z = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1)).double()
    times = [(1 - i / 40) ** 1.5 for i in range(40)] + [0.0]
    goal = [float(v) for v in (BED.moments()[0], BED.moments()[1].sqrt())]
    y, ends = torch.zeros(4000, dtype=torch.long), []
    for one in (RungeKutta("heun"), RungeKutta("heun", churn=20.0, churn_range=(0.05, 20.0))):
        rng = torch.Generator().manual_seed(2)
        *_, last = one(process, BED.oracle(process), z, y, times, rng)
        ends.append(last)
        assert float(last.mean()) == pytest.approx(goal[0], abs=4 * goal[1] / 4000**0.5 + 0.01)
        assert float(last.std()) == pytest.approx(goal[1], abs=4 * goal[1] / 8000**0.5 + 0.01)
    assert (ends[0] - ends[1]).abs().mean() > 0.1  # it did draw noise


def test_churn_without_noise_still_rescales() -> None:
    """S_noise = 0 on a path where z shrinks: what is shown at the raised time has its signal."""
    process, seen = noise.Gaussian("velocity", path="flow").bind(schedule.Cosine(1000)), []

    def predict(z, y, t):
        seen.append((z, process.clock(t)[0]))
        return torch.zeros_like(z)[None]

    z = process.clock(0.5)[0] * torch.ones(1, 1, dtype=torch.float64)
    next(Heun(churn=5.0, churn_scale=0.0)(process, predict, z, None, [0.5, 0.2], None))
    (shown, signal), *_ = seen
    assert signal < process.clock(0.5)[0]
    torch.testing.assert_close(shown, signal * torch.ones(1, 1, dtype=torch.float64))


def test_wrong_settings_are_errors() -> None:
    with pytest.raises(InputError, match=r"RungeKutta.tableau: .*'heun'"):
        RungeKutta("hein")
    with pytest.raises(InputError, match=r"Heun.churn: expected a number >= 0; got -1"):
        Heun(churn=-1)
    with pytest.raises(InputError, match=r"Heun.churn_scale: expected a number >= 0; got -1"):
        Heun(churn_scale=-1)
    for pair in ((2.0, 1.0), (-1.0, 1.0), (1.0,), (math.nan, 1.0), "ab", 3, None):
        with pytest.raises(InputError, match=r"churn_range: expected 0 <= low < high"):
            Heun(churn_range=pair)
    with pytest.raises(InputError, match="can't start from pure noise"):
        flow_from_noise(Heun())
    tokens = data.Identity(torch.randint(0, 4, (8, 5)))
    with pytest.raises(MismatchError, match="Heun integrates an ODE, which Absorbing has not"):
        diffusion.Model(tokens, schedule.Cosine(10), noise.Absorbing(5),
                        net.Transformer(5, width=8, heads=2), sampler=Heun())  # fmt: skip


def flow_from_noise(one: RungeKutta) -> None:
    model = diffusion.Model(
        data.Identity(torch.randn(16, 3), batch=8), schedule.Flow(10), noise.Gaussian("velocity"),
        net.MLP(3), time=time.Continuous(), sampler=one,
    )  # fmt: skip
    model.sample(batch=1, steps=4)
