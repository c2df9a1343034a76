"""Where Diffusers' schedulers are wrong: what they do, and that ours is what the mathematics says.

Each defect is asserted, so that a version without it fails here and the case can move to
`test_diffusers`. Where the data are one point m, epsilon never changes and the path to it is known:
z_s = signal_s·m + sigma_s·epsilon at every s. On the line, the flow is the quantile map.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion.exact import Mixture
from diffusion.grid import Karras
from diffusion.noise import Gaussian
from diffusion.sampler import DPMSolverPP

from .runs import Runs, both, read
from .test_diffusers import TOLERANCE, peer

M = torch.tensor([0.7, -0.4, 0.2]).double()
LINE = Mixture(
    torch.tensor([0.4, 0.6]), torch.tensor([[-0.8], [0.5]]).double(), torch.tensor([0.3, 0.2])
)
QUANTILES = torch.special.ndtri((torch.arange(64).double() + 0.5) / 64).unsqueeze(1)


def process(one: Any, folder: Path) -> Gaussian:
    one.save_pretrained(folder)
    return read(folder / "scheduler_config.json").process


def known(mine: Gaussian, t: Any, start: Tensor, first: Any) -> Tensor:
    """The state at t of the path from `start` to the point m."""
    (signal, sigma), (signal_0, sigma_0) = mine.clock(t), mine.clock(first)
    return signal * M + sigma * (start - signal_0 * M) / sigma_0


def to_point(one: Any, count: int, folder: Path) -> tuple[Gaussian, Runs]:
    """Both runs towards m, with a network that knows it."""
    start = QUANTILES[:8] * torch.ones(3).double()
    return process(one, folder), both(one, count, folder, lambda z, k: M.expand_as(z), start)


@pytest.mark.parametrize(("spacing", "count"), [("linspace", 5), ("linspace", 10), ("trailing", 7)])
def test_ddim_steps_to_another_time_than_the_next_call_is_told(
    spacing: str, count: int, tmp_path: Path
) -> None:
    """It goes to k - T//n, which is the next timestep only if they are spaced that way."""
    one = peer("DDIM", timestep_spacing=spacing, prediction_type="sample")
    mine, runs = to_point(one, count, tmp_path)
    start, first = QUANTILES[:8] * torch.ones(3).double(), runs.times[0]
    for t, state in zip(runs.times[1:], runs.ours, strict=True):
        # m to float64, and nothing else rounds
        torch.testing.assert_close(state, known(mine, t, start, first), rtol=1e-10, atol=1e-10)
    wrong = known(mine, first - 1000 // count, start, first)
    right = known(mine, runs.times[1], start, first)
    assert float((runs.theirs[0] - wrong).abs().max()) < TOLERANCE
    assert float((runs.theirs[0] - right).abs().max()) > 10 * TOLERANCE


def on_line(one: Any, count: int, folder: Path) -> tuple[float, float]:
    """Root mean square errors at the end of both, for quantiles of a mixture on the line."""
    mine = process(one, folder)
    scales = {k: mine.clock(k + 1) for k in range(1000)}

    def net(z: Tensor, k: Any) -> Tensor:
        signal, sigma = scales[int(k)]
        return (z - signal * LINE.denoise(z, signal, sigma)) / sigma

    runs = both(one, count, folder, net, QUANTILES)
    exact = LINE.flow(QUANTILES, mine.clock(runs.times[0]))
    ours, theirs = (float((s[-1] - exact).pow(2).mean().sqrt()) for s in (runs.ours, runs.theirs))
    return ours, theirs


def test_so_more_steps_do_not_help_it(tmp_path: Path) -> None:
    """Steps of 10.1 that go 10 may be luck: here they offset the error of the order. With 400 steps
    of 2.5 it goes 2 at a time, and the error rises; ours goes on to fall with order 1.
    """
    settings = {"beta_schedule": "scaled_linear"}
    ours, theirs = on_line(peer("DDIM", timestep_spacing="leading", **settings), 25, tmp_path)
    assert ours == pytest.approx(theirs, rel=1e-3)
    spread = peer("DDIM", timestep_spacing="linspace", **settings)
    (coarse, _), (fine, theirs) = (on_line(spread, count, tmp_path) for count in (100, 400))
    assert math.log2(coarse / fine) / 2 == pytest.approx(1, abs=0.3)
    assert theirs > 10 * fine


def test_dpm_solver_fails_on_cosine_betas_with_karras_sigmas(tmp_path: Path) -> None:
    """Their timesteps, not rounded, are cut off to integers: the same one at several sigmas, so the
    first call starts at the second sigma and the last one looks past the end.
    """
    settings = {"beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True}
    one = peer("DPMSolverMultistep", prediction_type="v_prediction", **settings)
    with pytest.raises(IndexError):
        both(one, 25, tmp_path, lambda z, k: 0.1 * z)
    mine = process(one, tmp_path)
    coarse, fine = (karras(mine, count) for count in (50, 100))
    assert math.log2(coarse / fine) == pytest.approx(2, abs=0.3)


def karras(mine: Gaussian, count: int) -> float:
    """The error of DPM-Solver++ 2M at the end of a run along Karras' sigmas."""
    times = Karras(count).times(mine.clock, True)
    mine.prepare(times)
    *_, last = DPMSolverPP()(mine, LINE.oracle(mine), QUANTILES, None, times, None)
    return float((last - LINE.flow(QUANTILES, mine.clock(times[0]))).pow(2).mean().sqrt())


def curve(level: float) -> float:
    """A quadratic in lambda = log(signal/sigma), to be integrated without error by order 3."""
    return 0.5 - 0.2 * level + 0.3 * level**2


def integral(level: float) -> float:
    """Of e^lambda·curve(lambda)."""
    return math.exp(level) * (0.5 - 0.2 * (level - 1) + 0.3 * (level**2 - 2 * level + 2))


def test_dpm_solver_3m_takes_half_of_the_curvature(tmp_path: Path) -> None:
    """x(l0 + s) = D0 + D1·s/h + D2·s²/h² needs alpha·2·((e^-h - 1 + h)/h² - 1/2)·D2 with a minus;
    their third-order update has no 2 (nor has that of k-diffusion 0.1.1). So their
    third order has errors of h³ in a step, as the second order has.
    """
    one = peer("DPMSolverMultistep", solver_order=3, prediction_type="sample")
    mine = process(one, tmp_path)
    levels = {t: math.log(s / n) for t in range(1, 1001) for s, n in [mine.clock(t)]}
    runs = both(one, 10, tmp_path, lambda z, k: torch.full_like(z, curve(levels[int(k) + 1])))
    compared = 0
    for i, (t, s) in enumerate(zip(runs.times[2:-2], runs.times[3:-2], strict=False), 2):
        (_, sigma), (signal_s, sigma_s) = mine.clock(t), mine.clock(s)
        h = levels[s] - levels[t]
        exact = sigma_s * (integral(levels[s]) - integral(levels[t]))
        missed = signal_s * ((math.exp(-h) - 1 + h) / h**2 - 0.5) * 0.3 * h**2
        step = runs.ours[i] - sigma_s / sigma * runs.ours[i - 1]
        torch.testing.assert_close(step, torch.full_like(step, exact), rtol=1e-9, atol=1e-9)
        step = runs.theirs[i] - sigma_s / sigma * runs.theirs[i - 1]
        wrong = torch.full_like(step, exact + missed)
        torch.testing.assert_close(step, wrong, rtol=0, atol=TOLERANCE)
        assert abs(missed) > 10 * TOLERANCE
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("DDIM", {"set_alpha_to_one": False, "steps_offset": 1}),
        ("DPMSolverMultistep", {"final_sigmas_type": "sigma_min"}),
        ("UniPCMultistep", {"final_sigmas_type": "sigma_min"}),
    ],
)
def test_some_settings_leave_noise_in_the_samples(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """They end at the first sigma of the table. Ours may end there, or at the data."""
    mine, runs = to_point(peer(name, prediction_type="sample", **settings), 10, tmp_path)
    start = QUANTILES[:8] * torch.ones(3).double()
    left = known(mine, 1, start, runs.times[0])
    torch.testing.assert_close(runs.theirs[-1], left, rtol=0, atol=TOLERANCE)
    assert float((left - M).abs().max()) > 0.01
    one = read(tmp_path / "scheduler_config.json")
    hat, times = M.expand_as(start).unsqueeze(0), [*runs.times[:-1], 0]
    *_, last = one.sampler(one.process, lambda z, y, t: hat, start, None, times, None)
    torch.testing.assert_close(last, M.expand_as(last), rtol=0, atol=1e-12)


def test_dpm_solver_tells_the_network_another_time_than_that_of_karras_sigmas(
    tmp_path: Path,
) -> None:
    """Timesteps are rounded, sigmas are not: the two are up to half a step of the table apart."""
    one = peer("DPMSolverMultistep", use_karras_sigmas=True)
    runs = both(one, 25, tmp_path)
    apart = [1000 * t - 1 - k for t, k in zip(runs.times, runs.timesteps, strict=False)]
    assert 0.3 < max(map(abs, apart)) <= 0.51


def test_flow_matching_wastes_its_last_step(tmp_path: Path) -> None:
    """Even steps end at sigma = 1/T, and the last network call moves the state by 1/T of itself;
    with a shift that end is shifted twice.
    """
    for shift in (1.0, 3.0):
        one = peer("FlowMatchEulerDiscrete", shift=shift)
        one.set_timesteps(5)
        twice = shift**2 / (1000 + shift**2 - 1)
        assert float(one.sigmas[-2]) == pytest.approx(twice, rel=1e-4)
        assert float(one.sigmas[-2]) < 0.05 * float(one.sigmas[-3])
